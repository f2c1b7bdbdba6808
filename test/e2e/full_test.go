package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// mounts is set in the process that has mounts of its own.
const mounts = "TENANTRY_TEST_MOUNTS"

// withMounts runs a test in a process that may mount file systems that no other sees: as root, or as root of a user namespace.
func withMounts(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv(mounts) != "" {
		test(t)
		return
	}
	again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), mounts+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if id := os.Geteuid(); id != 0 {
		again.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: id, Size: 1}}
	}
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Bad day: the volume of a directory is full.
func TestAFullVolumeIsToldAndReadsGoOn(t *testing.T) { withMounts(t, fullVolume) }

func fullVolume(t *testing.T) {
	c := newTenant(t)
	if err := syscall.Mount("tmpfs", c.data, "tmpfs", 0, "size=4m,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(c.data, syscall.MNT_DETACH) })
	p := c.start()
	metrics, err := http.Get(p.admin + v1alpha1.MetricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	text, err := io.ReadAll(metrics.Body)
	if err != nil || !strings.Contains(string(text), "\nscim_volume_size_bytes 4.194304e+06\n") || !strings.Contains(string(text), "\nscim_volume_free_bytes ") {
		t.Errorf("metrics: %v\n%s", err, text)
	}
	anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)

	ask := func(method, url, body string) (status int, retryAfter, text string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.token)
		request.Header.Set("Content-Type", "application/scim+json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header.Get("Retry-After"), string(answer)
	}
	made := 0
	post := func() (status int, retryAfter, text string) {
		t.Helper()
		made++
		return ask("POST", p.url+"/Users", fmt.Sprintf(`{"userName":"u%d@contoso.test","title":%q}`, made, strings.Repeat("x", 20_000)))
	}
	// fill writes until nothing fits: a log that was copied leaves room for a while.
	fill := func() {
		t.Helper()
		for refused := 0; refused < 20; {
			status, retryAfter, text := post()
			if status == 201 {
				refused = 0
				continue
			}
			refused++
			if status != 503 || retryAfter == "" || !strings.Contains(text, "nothing was changed") {
				t.Fatalf("a write on a full volume is answered %d, Retry-After %q, %s", status, retryAfter, text)
			}
		}
	}
	readsGoOn := func(when string) {
		t.Helper()
		p.mustSend("GET", "/Users/"+anna, "", 200)
		if found := p.mustSend("GET", `/Users?filter=userName+eq+%22anna@contoso.test%22`, "", 200); found["totalResults"] != float64(1) {
			t.Errorf("%s: a look-up finds %v", when, found["totalResults"])
		}
		status, _, text := ask("GET", p.admin+v1alpha1.ReadyPath, "")
		if status != 200 || !strings.HasPrefix(text, "VolumeFull: ") {
			t.Errorf("%s: readiness is %d %s", when, status, text)
		}
	}
	// Most clients do not come again soon: the first change that does not fit tells, for as long as there is no room.
	for status := 201; status == 201; {
		status, _, _ = post()
	}
	for range 5 {
		readsGoOn("after the first change that did not fit")
	}
	fill()
	for range 5 { // again and again, as a client does
		readsGoOn("on a full volume")
		post()
	}
	lines := func(p *process) (told []string) {
		for line := range strings.Lines(p.log.String()) {
			var entry struct{ Level, Msg string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" || strings.Contains(entry.Msg, "again") {
				told = append(told, line)
			}
		}
		return told
	}
	if told := lines(p); len(told) != 1 || !strings.Contains(told[0], "full") {
		t.Errorf("the beginning is logged as %q", told)
	}

	p.kill()
	p = c.start()
	fill()
	readsGoOn("after a restart")
	if err := syscall.Mount("", c.data, "", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if status, _, text := ask("GET", p.admin+v1alpha1.ReadyPath, ""); status != 200 || text != "" {
		t.Errorf("with room again readiness is %d %s", status, text)
	}
	if status, _, text := post(); status != 201 {
		t.Errorf("with room again a write is answered %d %s", status, text)
	}
	if told := lines(p); len(told) != 1 || !strings.Contains(told[0], "full") {
		t.Errorf("the beginning after the restart is logged as %q", told)
	}
}
