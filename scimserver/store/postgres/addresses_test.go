package postgres_test

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

func TestADatabaseIsReachedAtAnAddressOfIPv6(t *testing.T) {
	p := &proxy{at: "[::1]:0"}
	through := p.start(t, testenv.Direct(t, testenv.Schema(t)))
	if !strings.Contains(through, "@[::1]:") {
		t.Fatalf("the URL is %s", through)
	}
	open(t, through)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) == 0 {
		t.Error("no connection went that way")
	}
}
