package main

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/store"
)

// ambiguousIDs is how many ids of users, and of groups, one line of the log has.
const ambiguousIDs = 100

// names finds resources that share a name; a directory.Directory does.
type names interface {
	// Ambiguous counts the resources that have the name of another, and lists the ids of some, at most limit of a kind.
	Ambiguous(ctx context.Context, limit int) (n int64, ids map[store.Kind][]string, err error)
}

// namesLog logs that users or groups share a name, once, and again when their number changes. A name is personal data, so it logs ids.
type namesLog struct {
	names

	log  logr.Logger
	told int64
}

// step looks once. It is called at an interval, so an error of the storage is left to the next call.
func (l *namesLog) step(ctx context.Context) {
	n, ids, err := l.Ambiguous(ctx, ambiguousIDs)
	if err != nil || n == l.told {
		return
	}
	l.told = n
	if n == 0 {
		l.log.Info("no name is ambiguous any more")
		return
	}
	l.log.Info("users or groups have one name, which an earlier version took for two; they are served, and a new one of that name is refused."+
		" Rename or delete all but one of each name", "resources", n, "users", ids[store.User], "groups", ids[store.Group])
}
