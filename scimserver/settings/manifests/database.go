package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/internal/durable"
)

// databaseDir is the folder in the data folder that takes the place of v1alpha1.DatabasePath.
const databaseDir = "database"

// DatabaseURL returns the connection URL of the database that keeps the tenant's directory, as its Secret has it now. The error
// says that there is none: the directory is kept in SQLite, or a flag says where.
func (s *Source) DatabaseURL() (string, error) {
	if connection := s.url.Load(); connection != nil {
		return *connection, nil
	}
	return "", errors.New("the manifests name no database")
}

// connection returns the connection URL in the Secret that spec.storage names, nil where the directory is not kept by it.
func (s *Source) connection(secrets []document, tenant *v1alpha1.ProvisioningTenant) (*string, error) {
	if s.options.StorageByFlag {
		return nil, nil
	}
	storage := tenant.Spec.Storage
	if last := s.Current(); last != nil && last.Tenant.Spec.Storage.Type != storage.Type {
		return nil, fmt.Errorf("%s %s: spec.storage.type must stay %s while the server runs: stop it, take the directory along by"+
			" scimserver move or by export and import, and start it again", tenantKind, tenant.Name, last.Tenant.Spec.Storage.Type)
	}
	if storage.Type != v1alpha1.StoragePostgreSQL {
		return nil, nil
	}
	ref := storage.PostgreSQL.ConnectionSecretRef
	secret, d, err := secretOf(secrets, tenant, ref.Name)
	switch {
	case err != nil:
		return nil, err
	case secret == nil:
		return nil, fmt.Errorf("%s %s: spec.storage.postgresql.connectionSecretRef: Secret %s/%s is not among the manifests: add it, with the"+
			" connection URL under its key %s, or say where the directory is kept with --database-url-file",
			tenantKind, tenant.Name, tenant.Namespace, ref.Name, ref.Key)
	}
	connection := strings.TrimSpace(string(value(secret, ref.Key)))
	if connection == "" {
		return nil, d.failure(fmt.Errorf("key %s: must be the connection URL, as in postgres://USER:PASSWORD@HOST:5432/DATABASE", ref.Key))
	}
	if connection, err = withFiles(connection, secret, filepath.Join(s.options.DataDir, databaseDir)); err != nil {
		return nil, d.failure(err)
	}
	if s.options.CheckURL != nil {
		if err := s.options.CheckURL(connection); err != nil {
			return nil, d.failure(fmt.Errorf("key %s: %w", ref.Key, err))
		}
	}
	return &connection, nil
}

// mounted finds the files of the Secret in a connection URL: the operator mounts it at v1alpha1.DatabasePath.
func mounted() *regexp.Regexp {
	return regexp.MustCompile(`(='?)(?:/|%2[Ff])` + strings.TrimPrefix(v1alpha1.DatabasePath, "/") + `(?:/|%2[Ff])([-_a-zA-Z0-9][-._a-zA-Z0-9]*)`)
}

// withFiles writes the keys of the Secret that the connection URL names as files, such as certificates, into a folder, and returns the
// URL with their names there.
func withFiles(connection string, secret *corev1.Secret, folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	isURL := strings.Contains(connection, "://")
	var failures []error
	files := mounted()
	connection = files.ReplaceAllStringFunc(connection, func(found string) string {
		parts := files.FindStringSubmatch(found)
		before, key := parts[1], parts[2]
		content := value(secret, key)
		if content == nil {
			failures = append(failures, fmt.Errorf("key %s: the connection URL names it as %s/%s, so it must be there", key, v1alpha1.DatabasePath, key))
			return found
		}
		path := filepath.Join(folder, key)
		failures = append(failures, keep(path, content))
		if isURL {
			path = url.QueryEscape(path)
		}
		return before + path
	})
	return connection, errors.Join(failures...)
}

// keep makes content that of the file at path, unless it is.
func keep(path string, content []byte) error {
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, content)
}

// ignored lists the fields of a tenant that have no effect here, as the files have it.
func (s *Source) ignored(spec v1alpha1.ProvisioningTenantSpec) []string {
	fields := map[string]any{
		"spec.authentication.secretToken": spec.Authentication.SecretToken,
		"spec.deletionPolicy":             spec.DeletionPolicy,
		"spec.exposure":                   spec.Exposure,
		"spec.server":                     spec.Server,
		"spec.storage.sqlite":             spec.Storage.SQLite,
	}
	if s.options.StorageByFlag {
		fields["spec.storage"] = spec.Storage
		delete(fields, "spec.storage.sqlite")
	} else if spec.Storage.PostgreSQL != nil {
		fields["spec.storage.postgresql.port"] = spec.Storage.PostgreSQL.Port
	}
	var names []string
	for name, value := range fields {
		if !reflect.ValueOf(value).IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
