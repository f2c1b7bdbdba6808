//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

func patroniRows() []row {
	const limit = 4 * time.Minute
	return []row{
		{name: "patroni/switchover", about: "Patroni, both hosts in the URL; switchover", run: patroni(hosts(), switchover), limit: limit},
		{
			name: "patroni/switchover-attrs", about: "the same with target_session_attrs=read-write",
			run: patroni(hosts(readWrite), switchover), limit: limit,
		},
		{name: "patroni/switchover-haproxy", about: "Patroni, HAProxy on /primary; switchover", run: patroni(haproxy, switchover), limit: limit},
		{name: "patroni/crash", about: "Patroni (ttl 30), both hosts in the URL; primary killed", run: patroni(hosts(), crash), limit: limit},
		{name: "patroni/crash-haproxy", about: "Patroni (ttl 30), HAProxy on /primary; primary killed", run: patroni(haproxy, crash), limit: limit},
	}
}

// member is one of two PostgreSQLs under Patroni.
type member struct {
	name, database, rest, data string
	process                    *process
	cluster                    *cluster // for what is asked as the superuser
}

// pair are two members, the leader first.
type pair struct {
	scene *scene
	at    [2]*member
}

// patroni runs a pair, leads a server to it, and has something happen to the leader.
func patroni(leads func(context.Context, *pair) (string, error), happens func(context.Context, *pair) error) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		p, err := s.pair(ctx)
		if err != nil {
			return err
		}
		database, err := leads(ctx, p)
		if err != nil {
			return err
		}
		t, err := s.serveReady(ctx, "contoso", database)
		if err != nil {
			return err
		}
		return t.over(ctx, saw, func() error {
			if err := happens(ctx, p); err != nil {
				return err
			}
			return p.led(ctx, p.at[1])
		})
	}
}

// hosts leads a server to both members, the leader first.
func hosts(parameters ...string) func(context.Context, *pair) (string, error) {
	return func(_ context.Context, p *pair) (string, error) {
		return databaseURL(p.at[0].database+","+p.at[1].database, parameters...), nil
	}
}

// haproxy leads a server through HAProxy.
func haproxy(ctx context.Context, p *pair) (string, error) {
	free, err := freePorts(1)
	if err != nil {
		return "", err
	}
	file, err := p.scene.write("haproxy.cfg", recipe("haproxy.cfg", "bind :5432", "bind "+free[0],
		"db-1:5432 check port 8008", p.at[0].database+" check port "+port(p.at[0].rest),
		"db-2:5432 check port 8008", p.at[1].database+" check port "+port(p.at[1].rest)))
	if err != nil {
		return "", err
	}
	process, err := p.scene.start(ctx, p.scene.programs.root+"/usr/sbin/haproxy", "-db", "-f", file)
	if err != nil {
		return "", err
	}
	return databaseURL(free[0]), process.listens(ctx, free[0])
}

// switchover asks Patroni to change the roles.
func switchover(ctx context.Context, p *pair) error {
	body, err := json.Marshal(map[string]string{"leader": p.at[0].name, "candidate": p.at[1].name})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.at[0].rest+"/switchover", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("Patroni refuses to switch over: %d", response.StatusCode) //nolint:staticcheck // a name
	}
	return nil
}

// crash kills the leader and its Patroni, as when a machine fails.
func crash(ctx context.Context, p *pair) error {
	p.at[0].process.kill()
	return p.at[0].halt(ctx, p.scene)
}

// halt ends a PostgreSQL whose Patroni is not there any more.
func (m *member) halt(ctx context.Context, s *scene) error {
	process, err := s.startUnprivileged(ctx, filepath.Join(s.programs.debian, "pg_ctl"), "--pgdata", m.data, "--mode", "immediate", "stop")
	if err == nil {
		<-process.ended
	}
	return err
}

// pair starts etcd and two members, and waits until the first leads and the other follows it synchronously.
func (s *scene) pair(ctx context.Context) (*pair, error) {
	free, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	etcd, err := s.start(ctx, s.programs.root+"/usr/bin/etcd", "--data-dir", s.file("etcd"), "--listen-client-urls", "http://"+free[0],
		"--advertise-client-urls", "http://"+free[0], "--listen-peer-urls", "http://"+free[1], "--initial-advertise-peer-urls", "http://"+free[1],
		"--initial-cluster", "default=http://"+free[1])
	if err != nil {
		return nil, err
	}
	if err := etcd.listens(ctx, free[0]); err != nil {
		return nil, err
	}
	p := &pair{scene: s}
	for i := range p.at {
		m := &member{name: fmt.Sprintf("db-%d", i+1), database: free[2+2*i], rest: free[3+2*i], data: s.file(fmt.Sprintf("db-%d", i+1))}
		m.cluster = &cluster{address: m.database}
		p.at[i] = m
		if err := m.start(ctx, s, free[0]); err != nil {
			return nil, err
		}
		if i > 0 {
			break
		}
		if err := p.led(ctx, m); err != nil {
			return nil, fmt.Errorf("%w: %s", err, m.process.said.end())
		}
	}
	follows := func() bool {
		response, err := http.Get("http://" + p.at[1].rest + "/synchronous")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	if err := await(ctx, time.Minute, follows); err != nil {
		return nil, fmt.Errorf("no member follows %w: %s", err, p.at[1].process.said.end())
	}
	return p, p.at[0].cluster.administer(ctx, granted...)
}

// start runs Patroni with its recipe.
func (m *member) start(ctx context.Context, s *scene, etcd string) error {
	if err := os.Mkdir(m.data+"-sockets", 0o755); err != nil {
		return err
	}
	if err := os.Chmod(m.data+"-sockets", 0o777); err != nil {
		return err
	}
	file, err := s.write(m.name+".yaml", recipe("patroni.yaml", "name: db-1", "name: "+m.name, "db-1:8008", m.rest, "db-1:5432", m.database,
		"etcd:2379", etcd, "/var/lib/postgresql/data", m.data, "/usr/lib/postgresql/15/bin", s.programs.debian, "PASSWORD", "tenantry")+
		"  parameters: {unix_socket_directories: "+m.data+"-sockets}\n")
	if err != nil {
		return err
	}
	s.ends(func() { _ = m.halt(context.WithoutCancel(ctx), s) }) // what Patroni leaves behind when it is killed
	m.process, err = s.startUnprivileged(ctx, "/usr/bin/python3", s.programs.root+"/usr/bin/patroni", file)
	return err
}

// led waits until a member leads and takes writes.
func (p *pair) led(ctx context.Context, m *member) error {
	takes := func() bool {
		connection, err := pgx.Connect(ctx, "postgres://postgres:tenantry@"+m.database+"/postgres?sslmode=disable&connect_timeout=2")
		if err != nil {
			return false
		}
		defer connection.Close(ctx)
		var standby bool
		return connection.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby) == nil && !standby
	}
	if err := await(ctx, 90*time.Second, takes); err != nil {
		return errors.Join(fmt.Errorf("%s does not lead", m.name), err)
	}
	return nil
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// recipe is one of docs/storage.md, with pairs of what stands there and what takes its place here.
func recipe(name string, replaced ...string) string {
	text, err := recipes.ReadFile("recipes/" + name)
	if err != nil {
		panic(err) // this program names it
	}
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(string(text), replaced[i]) {
			panic(name + " has no " + replaced[i])
		}
	}
	return strings.NewReplacer(replaced...).Replace(string(text))
}
