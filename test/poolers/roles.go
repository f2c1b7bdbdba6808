//go:build linux

package main

import (
	"context"
	"strings"
	"time"
)

func roleRows() []row {
	return []row{{name: "roles/few-rights", about: "a role that may not make the tables, one that makes them, and the first again", run: fewRights}}
}

// fewRights has a server make the tables with one role, and another serve them with a role that could not.
func fewRights(ctx context.Context, s *scene, saw *seen) error {
	c, err := s.cluster(ctx, "database", "")
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(recipe("roles.sql"), ";\n") {
		if _, err := c.ask(ctx, "scim", statement+";"); err != nil {
			return err
		}
	}
	as := func(role, password string) string {
		return strings.Replace(c.url(), "scim:tenantry@", role+":"+password+"@", 1)
	}
	early, err := s.serve(ctx, "contoso", as("contoso_server", "SERVER"))
	if err != nil {
		return err
	}
	pause(ctx, time.Second)
	if err := early.refuses(ctx, saw); err != nil {
		return err
	}
	early.process.stop()
	owner, err := s.serveReady(ctx, "contoso", as("contoso_owner", "OWNER"))
	if err != nil {
		return err
	}
	owner.process.stop()
	served, err := s.serveReady(ctx, "contoso", as("contoso_server", "SERVER"))
	if err != nil {
		return err
	}
	return served.walk(ctx)
}
