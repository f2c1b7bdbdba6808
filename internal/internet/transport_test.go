package internet

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trusts tells whether the transport trusts a certificate now.
func trusts(t *testing.T, transport *Transport, certificate *x509.Certificate) bool {
	t.Helper()
	current, err := transport.current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = certificate.Verify(x509.VerifyOptions{Roots: current.TLSClientConfig.RootCAs, CurrentTime: certificate.NotBefore})
	return err == nil
}

func TestAFolderOfAuthoritiesIsFollowedAndThePublicOnesStay(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	own := server.Certificate()
	var public *x509.Certificate
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		public = certificate
		break
	}
	folder := t.TempDir()
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", filepath.Join(folder, "none")+":"+folder)
	transport := &Transport{}
	if trusts(t, transport, own) || !trusts(t, transport, public) {
		t.Error("an empty folder changes who is trusted")
	}
	if first, _ := transport.current(); first != transport.transport {
		t.Error("certificates are read again though nothing changed")
	}
	file := filepath.Join(folder, "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if !trusts(t, transport, own) || !trusts(t, transport, public) {
		t.Error("an authority in the folder is not trusted beside the public ones")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if trusts(t, transport, own) {
		t.Error("an authority that was taken away is trusted")
	}
}
