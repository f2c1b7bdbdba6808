#!/usr/bin/env bash
# The MCP TypeScript SDK refuses the metadata of an OAuth server that has no authorization endpoint.
#
# RFC 8414 section 2 requires authorization_endpoint unless no grant type uses it. A server of client credentials alone has
# none, as it has no response types. openid-client reads such metadata and gets a token by it.
# Why it matters: a SCIM server that issues access tokens to provisioning clients is such a server, and the OpenID IPSIE draft
# wants its metadata. Tenantry says what RFC 8414 has it say, with response_types_supported: ["none"], because some clients
# refuse metadata without that; it invents no endpoint.
# Seen with @modelcontextprotocol/sdk 1.32.2 and openid-client 6.9.0. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --prefix . @modelcontextprotocol/sdk@1.32.2 openid-client@6.9.0
npm ls --prefix . | tail -n +2
cat >run.mjs <<'END'
import { OAuthMetadataSchema } from '@modelcontextprotocol/sdk/shared/auth.js';
import * as client from 'openid-client';
const issuer = 'https://tenant.example.com';
const plain = {
  issuer, token_endpoint: issuer + '/oauth2/token', grant_types_supported: ['client_credentials'],
  token_endpoint_auth_methods_supported: ['client_secret_basic'],
};
for (const [name, metadata] of Object.entries({
  'without response types': plain,
  'with response type none': { ...plain, response_types_supported: ['none'] },
})) {
  const mcp = OAuthMetadataSchema.safeParse(metadata);
  console.log(`${name}, MCP SDK: ${mcp.success ? 'read' : 'missing ' + mcp.error.issues.map((i) => i.path.join('.')).join(', ')}`);
  const answer = async () => new Response(JSON.stringify(metadata), { headers: { 'content-type': 'application/json' } });
  const found = await client.discovery(new URL(issuer), 'contoso', 'secret', undefined, { algorithm: 'oauth2', [client.customFetch]: answer });
  console.log(`${name}, openid-client: ${found.serverMetadata().token_endpoint}`);
}
END
node run.mjs | tee seen

diff -u --label expected --label seen - seen <<'END'
without response types, MCP SDK: missing authorization_endpoint, response_types_supported
without response types, openid-client: https://tenant.example.com/oauth2/token
with response type none, MCP SDK: missing authorization_endpoint
with response type none, openid-client: https://tenant.example.com/oauth2/token
END
