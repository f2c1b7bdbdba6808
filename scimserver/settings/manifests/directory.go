package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/internal/durable"
)

// directoryFile is the name of the file in the data folder that stands for status.directory.id.
const directoryFile = "directory.json"

// keptDirectory is its content: the directory of one tenant in one place. In another place the tenant has another one, or a copy.
type keptDirectory struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Storage   string `json:"storage"` // spec.storage.type, or byFlag
	ID        string `json:"id"`
}

const byFlag = "flag"

// KeepDirectory keeps the id of the directory that is served for the next start, as status.directory.id does in a cluster. It writes nothing
// where that is kept already.
func (s *Source) KeepDirectory(id string) error {
	tenant := s.Current().Tenant
	if known := tenant.Status.Directory; id == "" || known != nil && known.ID == id {
		return nil
	}
	kept := s.keptFor(tenant)
	kept.ID = id
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(s.directoryFile()); err == nil && string(before) == string(text) {
		return nil
	}
	return durable.WriteFile(s.directoryFile(), text)
}

// directory is the status that the file stands for, nil if it has nothing about the tenant.
func (s *Source) directory(tenant *v1alpha1.ProvisioningTenant) (*v1alpha1.DirectoryStatus, error) {
	text, err := os.ReadFile(s.directoryFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var kept keptDirectory
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, which says which directory the tenant has: %w", s.directoryFile(), err)
	}
	want := s.keptFor(tenant)
	if want.ID = kept.ID; kept != want || kept.ID == "" {
		return nil, nil
	}
	return &v1alpha1.DirectoryStatus{ID: kept.ID}, nil
}

func (s *Source) keptFor(tenant *v1alpha1.ProvisioningTenant) keptDirectory {
	storage := string(tenant.Spec.Storage.Type)
	if s.options.StorageByFlag {
		storage = byFlag
	}
	return keptDirectory{Namespace: tenant.Namespace, Name: tenant.Name, Storage: storage}
}

func (s *Source) directoryFile() string { return filepath.Join(s.options.DataDir, directoryFile) }
