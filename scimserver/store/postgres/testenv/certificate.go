package testenv

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// OtherName listens as a database whose certificate is for another name than localhost, and returns a connection URL with the password that
// leads there and asks for the right name.
func OtherName(t testing.TB, password string) string {
	t.Helper()
	known := httptest.NewTLSServer(nil) // for its certificate
	known.Close()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8)) // a client asks for TLS first
			_, _ = conn.Write([]byte("S"))
			_ = tls.Server(conn, &tls.Config{Certificates: known.TLS.Certificates}).HandshakeContext(t.Context())
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return "postgres://u:" + password + "@localhost:" + port + "/db?sslmode=verify-full&sslrootcert=" + file
}
