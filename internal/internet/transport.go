// Package internet reaches servers on the internet, such as Microsoft's login authority: through the proxy that the environment names, as Go reads
// it (HTTPS_PROXY, NO_PROXY), and by the public certificate authorities, which it brings along because the images have none.
//
// As ever in Go, SSL_CERT_FILE names a file that takes the place of the public authorities, and SSL_CERT_DIR folders with more of them, separated by
// colons. The folders are read again when they change, so a ConfigMap of a platform's own authorities needs no restart.
package internet

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	fileVariable    = "SSL_CERT_FILE"
	foldersVariable = v1alpha1.AuthoritiesVariable

	// maxFile bounds one file of authorities: all of Mozilla's have 200 KiB.
	maxFile = 4 << 20
)

// Transport reaches servers on the internet. Its zero value is ready. It reads certificates when it is used first: most processes never need it, and
// they are a part of a process's memory.
type Transport struct {
	mu        sync.Mutex
	transport *http.Transport
	// of is the state of the folders that the transport was made of.
	of string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := t.current()
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(r)
}

func (t *Transport) current() (*http.Transport, error) {
	folders := filepath.SplitList(os.Getenv(foldersVariable))
	state := stateOf(folders)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.transport != nil && t.of == state {
		return t.transport, nil
	}
	roots, err := roots(folders)
	if err != nil {
		return nil, err
	}
	t.of, t.transport = state, &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true, // A request an hour is not worth a connection.
	}
	return t.transport, nil
}

// stateOf is another text once something was put into a folder or taken from it. A kubelet changes a ConfigMap's so.
func stateOf(folders []string) string {
	var state strings.Builder
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil { //nolint:gosec // the platform names the folder
			fmt.Fprintln(&state, info.ModTime().UnixNano())
		} else {
			fmt.Fprintln(&state)
		}
	}
	return state.String()
}

// roots are the machine's authorities, those of the binary where the machine has none, as in the images, and those in the folders.
func roots(folders []string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool() // which has the folders as they were when somebody asked first
	if err != nil {
		pool = x509.NewCertPool()
	}
	if os.Getenv(fileVariable) == "" && (len(folders) > 0 || pool.Equal(x509.NewCertPool())) {
		if err := addPublic(pool); err != nil {
			return nil, err
		}
	}
	for _, folder := range folders {
		addFolder(pool, folder)
	}
	return pool, nil
}

// addPublic adds the public authorities.
func addPublic(pool *x509.CertPool) error {
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return fmt.Errorf("read the root certificates: %w", err)
		}
		if root.Constraint == nil {
			pool.AddCert(certificate)
		} else {
			pool.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	return nil
}

// addFolder adds what is in the files of a folder. A file that cannot be read is passed over, as Go does: a handshake that needs it says whose
// certificate is not trusted.
func addFolder(pool *x509.CertPool, folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		info, err := os.Stat(file) //nolint:gosec // the platform names the folder
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
			continue
		}
		if pem, err := os.ReadFile(file); err == nil { //nolint:gosec // the platform names the folder
			pool.AppendCertsFromPEM(pem)
		}
	}
}
