-- As an administrator, in the database of the connection URL (\c scim), once for each tenant:
CREATE ROLE contoso_owner LOGIN PASSWORD 'OWNER';
CREATE ROLE contoso_server LOGIN PASSWORD 'SERVER';
CREATE SCHEMA tenantry_customers_contoso AUTHORIZATION contoso_owner;
-- The server of contoso_server finds the tables that that of contoso_owner makes, now and with later versions.
GRANT USAGE ON SCHEMA tenantry_customers_contoso TO contoso_server;
ALTER DEFAULT PRIVILEGES FOR ROLE contoso_owner IN SCHEMA tenantry_customers_contoso
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO contoso_server;
