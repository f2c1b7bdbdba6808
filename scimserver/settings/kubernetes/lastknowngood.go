package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/internal/durable"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// record is a snapshot as it stands in the file.
type record struct {
	Tenant    *v1alpha1.ProvisioningTenant `json:"tenant"`
	Defaults  []v1alpha1.UserDefaults      `json:"defaults"`
	Verifiers json.RawMessage              `json:"verifiers"`
}

func encode(s *settings.Snapshot) ([]byte, error) {
	verifiers, err := s.Verifiers.Encode()
	if err != nil {
		return nil, err
	}
	return json.Marshal(record{Tenant: s.Tenant, Defaults: s.Defaults, Verifiers: verifiers})
}

func decode(data []byte) (*settings.Snapshot, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if r.Tenant == nil {
		return nil, errors.New("there is no tenant in it")
	}
	verifiers, err := token.Decode(r.Verifiers)
	if err != nil {
		return nil, err
	}
	return &settings.Snapshot{Tenant: r.Tenant, Defaults: r.Defaults, Verifiers: verifiers}, nil
}

// lastKnownGood is the file that keeps a snapshot.
type lastKnownGood struct {
	path string
	// saved is its content.
	saved []byte
}

// errAnothers says that the file is of another tenant.
var errAnothers = errors.New("it is of another tenant")

// load returns the snapshot in the file, or nil where there is no file. It refuses the file of another tenant, and where
// uid is given also that of an earlier tenant of the same name: on a volume that was retained, it would let tokens in that
// ended with that tenant.
func (l *lastKnownGood) load(namespace, tenant string, uid types.UID) (*settings.Snapshot, error) {
	_ = os.Chmod(l.path, 0o600) // where a kubelet let the group of the volume read it; where there is none, reading says so
	data, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.path, err)
	}
	if s.Tenant.Namespace != namespace || s.Tenant.Name != tenant {
		return nil, fmt.Errorf("read %s: %w, %s/%s", l.path, errAnothers, s.Tenant.Namespace, s.Tenant.Name)
	}
	if uid != "" && s.Tenant.UID != uid {
		return nil, fmt.Errorf("read %s: %w, that was %s/%s before", l.path, errAnothers, namespace, tenant)
	}
	l.saved = data
	return s, nil
}

// save makes encoded the content of the file, unless it is already.
func (l *lastKnownGood) save(encoded []byte) error {
	if bytes.Equal(encoded, l.saved) {
		return nil
	}
	if err := durable.WriteFile(l.path, encoded); err != nil {
		return err
	}
	l.saved = encoded
	return nil
}
