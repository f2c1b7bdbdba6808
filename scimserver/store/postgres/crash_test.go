package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// TestNoAcknowledgedWriteIsLostWhenTheProcessIsKilled runs its own binary again as a child that can be killed.
const (
	childVariable = "TENANTRY_STORE_TEST_CHILD" // the connection URL
	firstVariable = "TENANTRY_STORE_TEST_FIRST" // number of its first user
	groupVariable = "TENANTRY_STORE_TEST_GROUP"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(url))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func writeUntilKilled(url string) error {
	s, err := postgres.Open(context.Background(), postgres.Options{URL: func() (string, error) { return url, nil }})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv(firstVariable))
	if err != nil {
		return err
	}
	const writers = 8
	var out sync.Mutex
	failed := make(chan error)
	for c := range writers {
		go func() {
			for n := first + c; ; n += writers {
				if err := arrive(s, os.Getenv(groupVariable), n); err != nil {
					failed <- err
				}
				out.Lock()
				fmt.Println(n)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func TestNoAcknowledgedWriteIsLostWhenTheProcessIsKilled(t *testing.T) {
	url := testenv.Schema(t)
	s := open(t, url)
	group := newGroup(t, s)
	self := must(os.Executable())(t)
	acknowledged := map[int]bool{}
	for round := range 8 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childVariable+"="+url, firstVariable+"="+strconv.Itoa((round+1)*100_000), groupVariable+"="+group)
		cmd.Stderr = os.Stderr
		out := must(cmd.StdoutPipe())(t)
		must(0, cmd.Start())(t)
		kill, seen := 1+rand.IntN(100), 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				continue // the line it was killed in
			}
			acknowledged[n] = true
			if seen++; seen == kill {
				must(0, cmd.Process.Kill())(t)
			}
		}
		_ = cmd.Wait() // says that it was killed
		if seen < kill {
			t.Fatalf("the child ended by itself after %d writes", seen)
		}
		// A transaction that the child had begun may still end, on one side or the other.
		checkArrived(t, s, group, acknowledged, nil)
	}
}
