package main

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/store"
)

// namesNamed is how many users, and groups, of names that others have too are named in one line.
const namesNamed = 100

// names are those that several resources have; a directory.Directory knows them.
type names interface {
	// Ambiguous counts the resources that have the name of another, and lists the ids of some, at most limit of a kind.
	Ambiguous(ctx context.Context, limit int) (n int64, ids map[store.Kind][]string, err error)
}

// namesLog says once that users or groups have one name, and once more when there are more or fewer of them. A name itself is
// personal data, so it says ids.
type namesLog struct {
	names

	log  logr.Logger
	told int64
}

// step looks; it is to be called again and again. Where the storage cannot say, the next look does.
func (l *namesLog) step(ctx context.Context) {
	n, ids, err := l.Ambiguous(ctx, namesNamed)
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
