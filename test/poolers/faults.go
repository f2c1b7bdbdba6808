//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/debian"
)

func faultRows() []row {
	return []row{
		{name: "faults/restart", about: "PostgreSQL restarted, away for 2 s", run: restarted},
		{name: "faults/read-only", about: "default_transaction_read_only switched on, then off", run: readOnly},
		{name: "faults/disk-full", about: "the disk of PostgreSQL full, then not any more", run: diskFull},
		{name: "faults/restored", about: "schema dropped and restored with pg_restore below the server", run: restored},
		{name: "faults/dropped", about: "schema dropped below the server, and the server restarted", run: dropped},
		{name: "faults/foreign", about: "two tenants led to one schema", run: foreign},
	}
}

// served is a PostgreSQL with a tenant's server.
func (s *scene) served(ctx context.Context, name string) (*cluster, *tenant, error) {
	c, err := s.cluster(ctx, name, "")
	if err != nil {
		return nil, nil, err
	}
	t, err := s.serveReady(ctx, "contoso", c.url())
	return c, t, err
}

func restarted(ctx context.Context, s *scene, saw *seen) error {
	c, t, err := s.served(ctx, "database")
	if err != nil {
		return err
	}
	return t.over(ctx, saw, func() error {
		if err := c.stop(ctx, "fast"); err != nil {
			return err
		}
		if err := t.refuses(ctx, saw); err != nil {
			return err
		}
		pause(ctx, 2*time.Second)
		return c.start(ctx, s)
	})
}

func readOnly(ctx context.Context, s *scene, saw *seen) error {
	c, t, err := s.served(ctx, "database")
	if err != nil {
		return err
	}
	return t.over(ctx, saw, func() error {
		if err := c.administer(ctx, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"); err != nil {
			return err
		}
		if err := t.refuses(ctx, saw); err != nil {
			return err
		}
		return c.administer(ctx, "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	})
}

// refuses waits until the server is not ready, and notes why.
func (t *tenant) refuses(ctx context.Context, saw *seen) error {
	says, err := t.becomes(ctx, false)
	saw.say("/readyz: %s", says)
	return err
}

func diskFull(ctx context.Context, s *scene, saw *seen) error {
	disk := s.file("disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=192m,mode=755"); err != nil {
		return fmt.Errorf("make a small disk: %w", err)
	}
	s.ends(func() { _ = syscall.Unmount(disk, 0) })
	_, t, err := s.served(ctx, filepath.Join("disk", "database"))
	if err != nil {
		return err
	}
	ballast := filepath.Join(disk, "ballast")
	return t.over(ctx, saw, func() error {
		if err := fill(ballast); err != nil {
			return err
		}
		if err := t.refuses(ctx, saw); err != nil {
			return err
		}
		status, _, _, err := t.send(ctx, http.MethodGet, t.url+"/Users?count=1", nil)
		saw.must(err == nil && status == http.StatusOK, "a read was answered %d", status)
		return os.Remove(ballast)
	})
}

// fill writes a file until the disk has no room for more.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for block := make([]byte, 1<<16); err == nil; {
		_, err = file.Write(block)
	}
	return nil
}

func restored(ctx context.Context, s *scene, saw *seen) error {
	c, t, err := s.served(ctx, "database")
	if err != nil {
		return err
	}
	l := t.load(ctx, 4)
	if err := l.more(ctx, 500); err != nil {
		return err
	}
	notes := l.stop()
	archive, schema := s.file("archive"), v1alpha1.DatabaseSchema("customers", t.name)
	if err := clientProgram(ctx, c, "pg_dump", "-Fc", "-n", schema, "-f", archive); err != nil {
		return err
	}
	if _, err := c.ask(ctx, "scim", "DROP SCHEMA "+schema+" CASCADE"); err != nil {
		return err
	}
	t.create(ctx, t.name+"-while-dropped", notes)
	if err := t.refuses(ctx, saw); err != nil {
		return err
	}
	if err := clientProgram(ctx, c, "pg_restore", "-d", "scim", archive); err != nil {
		return err
	}
	if _, err := t.becomes(ctx, true); err != nil {
		return err
	}
	t.create(ctx, t.name+"-afterwards", notes)
	saw.must(notes.created[t.name+"-afterwards"], "no create afterwards")
	return t.account(ctx, notes, saw)
}

// clientProgram runs one of PostgreSQL's as the role scim.
func clientProgram(ctx context.Context, c *cluster, name string, args ...string) error {
	host, port, _ := strings.Cut(c.address, ":")
	environment := []string{"PGHOST=" + host, "PGPORT=" + port, "PGUSER=scim", "PGPASSWORD=tenantry", "PGDATABASE=scim"}
	path := filepath.Join(c.programs, name)
	if _, err := exec.LookPath(path); err != nil {
		return err
	}
	_, err := debian.Output(ctx, environment, path, args...)
	return err
}

func dropped(ctx context.Context, s *scene, saw *seen) error {
	c, t, err := s.served(ctx, "database")
	if err != nil {
		return err
	}
	notes := newTally()
	t.create(ctx, t.name+"-before", notes)
	if _, err := c.ask(ctx, "scim", "DROP SCHEMA "+v1alpha1.DatabaseSchema("customers", t.name)+" CASCADE"); err != nil {
		return err
	}
	t.create(ctx, t.name+"-while-dropped", notes)
	if err := t.refuses(ctx, saw); err != nil {
		return err
	}
	if err := t.restart(ctx); err != nil {
		return err
	}
	pause(ctx, 3*time.Second)
	if ready, says := t.readiness(ctx); ready {
		return fmt.Errorf("ready after the restart: %s", says)
	}
	t.create(ctx, t.name+"-after-restart", notes)
	saw.must(notes.refused == 2 && len(notes.created) == 1, "%d created, %d refused", len(notes.created), notes.refused)
	saw.heard(notes)
	return nil
}

func foreign(ctx context.Context, s *scene, saw *seen) error {
	c, t, err := s.served(ctx, "database")
	if err != nil {
		return err
	}
	notes := newTally()
	t.create(ctx, t.name+"-secret", notes)
	other, err := s.serveSchema(ctx, "fabrikam", c.url(), v1alpha1.DatabaseSchema("customers", t.name))
	if err != nil {
		return err
	}
	pause(ctx, 3*time.Second)
	if err := other.refuses(ctx, saw); err != nil {
		return err
	}
	status, answer, _, err := other.send(ctx, http.MethodGet, other.url+"/Users", nil)
	if err != nil {
		return err
	}
	saw.must(status == http.StatusServiceUnavailable, "the other tenant's client was answered %d", status)
	saw.must(!strings.Contains(string(answer), "secret"), "the other tenant's client has read a user")
	ready, says := t.readiness(ctx)
	saw.must(ready, "the tenant itself is not ready: %s", says)
	return t.account(ctx, notes, saw)
}
