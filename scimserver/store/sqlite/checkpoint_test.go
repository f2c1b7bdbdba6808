package sqlite_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/test/race"
)

func TestTheLogDoesNotGrowWithoutEndUnderLoad(t *testing.T) {
	race.Meets(t)
	folder := t.TempDir()
	s := open(t, folder)
	storetest.Fill(t, s, 2000)
	largest := int64(0)
	for range 4 {
		var wg sync.WaitGroup
		for c := range 8 {
			wg.Go(func() {
				for i := range 200 {
					if err := storetest.Replace(s, 1+(c*200+i)%2000, i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		info, err := os.Stat(filepath.Join(folder, "directory.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 30<<20 {
		t.Errorf("the write-ahead log has %d MiB", largest>>20)
	}
}
