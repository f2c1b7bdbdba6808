package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// writers are clients that write into one directory at once, in every way that applications have to follow. The order of their requests is
// random on purpose.
type writers struct {
	t             *testing.T
	mu            sync.Mutex
	users, groups []string
	largest       string // the id of the first group, which has everybody at times
	serial        atomic.Int64
	done          atomic.Int64 // requests that were answered with success
	ended         sync.WaitGroup
	over          chan struct{}
	process       *process
}

func newWriters(t *testing.T, p *process) *writers { return &writers{t: t, process: p} }

// fill creates so many users, a group of them all, and some of a few.
func (w *writers) fill(users int) {
	w.t.Helper()
	const atOnce = 100
	for range users / atOnce {
		operations := make([]string, atOnce)
		for i := range operations {
			operations[i] = `{"method":"POST","path":"/Users","bulkId":"` + fmt.Sprint(i) + `","data":` + w.user() + `}`
		}
		answer := w.process.mustSend("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(operations, ",")+`]}`, 200)
		for _, o := range answer["Operations"].([]any) {
			location := o.(map[string]any)["location"].(string)
			w.users = append(w.users, location[strings.LastIndexByte(location, '/')+1:])
		}
	}
	w.groups = append(w.groups, w.process.mustSend("POST", "/Groups", `{"displayName":"Everybody","members":[`+members(w.users)+`]}`, 201)["id"].(string))
	w.largest = w.groups[0]
	for range 20 {
		w.groups = append(w.groups, w.process.mustSend("POST", "/Groups", w.group(), 201)["id"].(string))
	}
}

// find takes the users and groups that are there.
func (w *writers) find() {
	w.t.Helper()
	for path, ids := range map[string]*[]string{"/Users": &w.users, "/Groups": &w.groups} {
		list := w.process.mustSend("GET", path+"?attributes=id&count=1000", "", 200)
		for _, r := range list["Resources"].([]any) {
			*ids = append(*ids, r.(map[string]any)["id"].(string))
		}
	}
	w.largest = w.groups[0]
}

// start has them write to a server until it goes away or they are stopped.
func (w *writers) start(p *process) {
	w.process, w.over = p, make(chan struct{})
	for range 4 {
		w.ended.Go(func() {
			for {
				select {
				case <-w.over:
					return
				case <-p.done:
					return
				default:
					w.write()
				}
			}
		})
	}
}

// stop returns when nobody writes any more.
func (w *writers) stop() {
	close(w.over)
	w.ended.Wait()
}

// await returns when so many more requests had success.
func (w *writers) await(more int64) {
	w.t.Helper()
	enough := w.done.Load() + more
	eventually(w.t, func() bool { return w.done.Load() >= enough }, func() string {
		return fmt.Sprintf("%d of %d requests had success\n%s", w.done.Load(), enough, w.process.log)
	})
}

// write sends one request. It may be refused, because another writer was faster, or not be answered, because the server was killed.
func (w *writers) write() {
	switch n := rand.IntN(100); {
	case n < 20:
		w.create("/Users", w.user(), &w.users)
	case n < 40:
		w.patch("/Users/"+w.one(&w.users), `{"op":"replace","path":"title","value":"`+w.text()+`"}`)
	case n < 50:
		w.patch("/Users/"+w.one(&w.users), `{"op":"Replace","path":"active","value":"`+fmt.Sprint(rand.IntN(2) == 0)+`"}`)
	case n < 53:
		w.send("PUT", "/Users/"+w.one(&w.users), w.user())
	case n < 63:
		w.remove("/Users/", &w.users)
	case n < 75:
		w.patch("/Groups/"+w.one(&w.groups), `{"op":"add","path":"members","value":[`+members(w.some(&w.users))+`]}`)
	case n < 85:
		w.patch("/Groups/"+w.one(&w.groups), `{"op":"remove","path":"members","value":[`+members(w.some(&w.users))+`]}`)
	case n < 88:
		w.patch("/Groups/"+w.one(&w.groups), `{"op":"replace","path":"members","value":[`+members(w.some(&w.users))+`]}`)
	case n < 93:
		w.patch("/Groups/"+w.one(&w.groups), `{"op":"replace","path":"displayName","value":"`+w.text()+`"},{"op":"add","path":"members","value":[`+members(w.some(&w.users))+`]}`)
	case n < 96:
		w.create("/Groups", w.group(), &w.groups)
	case n < 97: // more members than an entry of the log names
		w.patch("/Groups/"+w.largest, `{"op":"add","path":"members","value":[`+members(w.all())+`]}`)
	case n < 98:
		w.patch("/Groups/"+w.largest, `{"op":"remove","path":"members"}`)
	default:
		w.remove("/Groups/", &w.groups)
	}
}

func (w *writers) send(method, path, body string) []byte {
	status, data, err := w.process.send(method, path, body)
	if err != nil || status >= http.StatusMultipleChoices {
		return nil
	}
	w.done.Add(1)
	return data
}

func (w *writers) patch(path, operations string) {
	w.send("PATCH", path, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operations+`]}`)
}

func (w *writers) create(path, body string, ids *[]string) {
	var created struct{ ID string }
	if json.Unmarshal(w.send("POST", path, body), &created) == nil && created.ID != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		*ids = append(*ids, created.ID)
	}
}

// remove deletes one of the resources, but never the first.
func (w *writers) remove(path string, ids *[]string) {
	w.mu.Lock()
	if len(*ids) < 2 {
		w.mu.Unlock()
		return
	}
	i := 1 + rand.IntN(len(*ids)-1)
	id := (*ids)[i]
	(*ids)[i] = (*ids)[len(*ids)-1]
	*ids = (*ids)[:len(*ids)-1]
	w.mu.Unlock()
	w.send("DELETE", path+id, "")
}

func (w *writers) text() string { return fmt.Sprintf("Text %d", w.serial.Add(1)) }

func (w *writers) user() string {
	manager := ""
	if id := w.one(&w.users); id != "" {
		manager = `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":"` + id + `"}`
	}
	n := rand.Uint64()
	return fmt.Sprintf(`{"userName":"u%d@contoso.test","externalId":"%d","displayName":"Ünö %d"%s}`, n, n, n, manager)
}

func (w *writers) group() string {
	return fmt.Sprintf(`{"displayName":"Group %d","members":[%s]}`, rand.Uint64(), members(w.some(&w.users)))
}

// one returns an id at random, "" where there is none.
func (w *writers) one(ids *[]string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(*ids) == 0 {
		return ""
	}
	return (*ids)[rand.IntN(len(*ids))]
}

func (w *writers) some(ids *[]string) []string {
	some := make([]string, 1+rand.IntN(5))
	for i := range some {
		some[i] = w.one(ids)
	}
	return some
}

func (w *writers) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.users...)
}

func members(ids []string) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = `{"value":"` + id + `"}`
	}
	return strings.Join(texts, ",")
}
