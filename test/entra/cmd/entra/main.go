// Command entra provisions an invented company into a SCIM server the way Microsoft Entra ID would, lets life happen in
// it for some cycles, compares the outcome with what Entra believes, and prints a summary like the provisioning log's.
//
//	entra --url https://contoso.scim.example.com/scim/v2 --token-file token --users 500 --groups 40 --cycles 2
//
// It exits with 0 if everything worked and nothing differs, with 1 if a request failed or something differs, with 2 for
// wrong arguments. With --cycles 0 it only does Test Connection. `entra --help` lists the flags; the manual is the
// documentation of package entra.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// result is what --json prints. Durations are in nanoseconds.
type result struct {
	TestConnection string             `json:"testConnection"`
	Cycles         []*entra.Report    `json:"cycles"`
	Verified       bool               `json:"verified"`
	Differences    []entra.Difference `json:"differences"`
	Sample         []wire.Resource    `json:"sample,omitempty"`
	OK             bool               `json:"ok"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "entra:", err)
		return 2
	}
	p := &printer{o: o, out: stdout, progress: stderr}
	err = provision(ctx, o, p)
	if err != nil {
		p.result.OK = false
		fmt.Fprintln(stderr, "entra:", err)
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(p.result); err != nil {
			fmt.Fprintln(stderr, "entra:", err)
			return 1
		}
	}
	if !p.result.OK {
		return 1
	}
	return 0
}

// provision runs what the options ask for. What it finds is in the printer's result; the error is for what kept it from
// finding anything.
func provision(ctx context.Context, o *options, p *printer) error {
	s, err := load(o)
	if err != nil {
		return err
	}
	now := s.Now
	client, err := o.client()
	if err != nil {
		return err
	}
	service, err := entra.New(o.job(), entra.Options{
		HTTP: client, State: s.State, Clock: func() time.Time { return now }, Progress: p.tell,
	})
	if err != nil {
		return err
	}
	p.result.TestConnection = "failed"
	if err := service.TestConnection(ctx); err != nil {
		return err
	}
	p.connected()
	p.result.OK = true

	life := company.DefaultLife(o.seed).Scaled(o.life)
	for i := range o.cycles {
		if i > 0 || s.ages {
			now = now.Add(time.Duration(o.days * float64(24*time.Hour)))
			p.lived(life.Period(s.Company, now))
		}
		report, err := service.RunCycle(ctx, s.Company)
		s.Now = now
		// A cycle that was interrupted leaves links too.
		if err := errors.Join(err, s.save(o.state)); err != nil {
			return err
		}
		p.cycle(report)
	}
	if o.verify && o.cycles > 0 {
		differences, err := service.Verify(ctx, s.Company)
		if err != nil {
			return err
		}
		p.verified(differences)
	}
	if o.sample > 0 {
		sample, err := service.Sample(ctx, o.sample)
		if err != nil {
			return err
		}
		p.sample(sample)
	}
	return nil
}
