package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

const (
	// freeTimeout is how long the move waits for a server that still has the folder, a little more than one may take to end.
	freeTimeout  = 45 * time.Second
	freeInterval = 500 * time.Millisecond
)

// move copies the directory in a folder to PostgreSQL, and answers clients 503 meanwhile.
func move(ctx context.Context, args []string, report io.Writer) error {
	var e engine
	var listen, adminListen string
	flags := flag.NewFlagSet("scimserver move", flag.ContinueOnError)
	flags.Usage = usage(flags, "scimserver move --data FOLDER --database-url-file FILE [flags]\n\n"+
		"Copies the directory in the data folder, its provisioning log and the server's secrets to an empty directory in PostgreSQL,\n"+
		"and compares the two. The folder stays as it was. It can be run again: a copy that is complete is only compared.")
	e.flags(flags)
	flags.StringVar(&listen, "listen", "", "`address` on which SCIM clients are answered 503 meanwhile; none where left out")
	flags.StringVar(&adminListen, "admin-listen", "", "`address` of health and readiness meanwhile; none where left out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see scimserver move --help", flags.Arg(0))
	case e.databaseURLFile == "":
		return errors.New("name the file with the connection URL of the database to move to with --database-url-file")
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	group, ctx := newGroup(ctx)
	for _, answer := range []struct {
		address string
		with    http.Handler
	}{{listen, protocol.Unavailable("the directory is being moved")}, {adminListen, alive()}} {
		if answer.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", answer.address)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", answer.address, err)
		}
		group.Go(func() error { return serveUntil(ctx, context.WithoutCancel(ctx), listener, answer.with) })
	}
	group.Go(func() error {
		defer done()
		counts, err := e.move(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(report, "moved %d users, %d groups, %d memberships and %d entries of the provisioning log\n",
			counts.Users, counts.Groups, counts.Memberships, counts.Entries)
		return nil
	})
	return group.Wait()
}

// alive says that the process is alive and ready, to answer 503.
func alive() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{v1alpha1.HealthPath, v1alpha1.ReadyPath} {
		mux.HandleFunc("GET "+path, func(http.ResponseWriter, *http.Request) {})
	}
	return headers.Protected(mux)
}

func (e *engine) move(ctx context.Context) (counts transfer.Counts, err error) {
	from, err := e.openFreed(ctx)
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := e.openDatabase(ctx)
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := to.Check(ctx); err != nil {
		return counts, fmt.Errorf("--database-url-file: %w", err)
	}
	users := directory.New(directory.Options{Store: to, Now: time.Now})
	return transfer.Move(ctx, from, to, users, auth.AccessTokenKeys, protocol.CursorKey, directory.DeletionsKey)
}

// openFreed opens the folder, and waits for the server that has it to end.
func (e *engine) openFreed(ctx context.Context) (opened store.Store, err error) {
	var last error
	err = wait.PollUntilContextTimeout(ctx, freeInterval, freeTimeout, true, func(ctx context.Context) (bool, error) {
		opened, last = e.openFolder(ctx)
		if errors.Is(last, store.ErrUnavailable) {
			return false, nil
		}
		return true, last
	})
	if wait.Interrupted(err) && last != nil {
		return nil, last
	}
	return opened, err
}
