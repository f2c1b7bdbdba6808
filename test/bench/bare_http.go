//go:build linux

package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// answerCommand starts this program as the bare server.
const answerCommand = "answer"

// answer is the baseline of whatever answers over HTTP: a handler of net/http that answers the bytes of the files in a
// folder, each at its name, and looks at nothing else.
func answer(ctx context.Context, folder string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v1alpha1.ReadyPath, func(http.ResponseWriter, *http.Request) {})
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		mux.HandleFunc("GET /"+entry.Name(), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(data)
		})
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	at := listener.Addr().String()
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info(serving, "clients", at, "admin", at)
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// bareServer starts this program as a server of these answers.
func (b *bench) bareServer(ctx context.Context, answers map[string][]byte) (*process, error) {
	folder, err := os.MkdirTemp(b.folder, "answers")
	if err != nil {
		return nil, err
	}
	for name, data := range answers {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ctx, self, answerCommand, folder)
}
