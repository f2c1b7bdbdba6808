package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

type options struct {
	url, token, tokenFile, caFile string
	resolve                       pairs

	company, name string
	users, groups int
	seed          uint64
	set           pairs

	dialect         string
	cycles          int
	days, life      float64
	state           string
	concurrency     int
	rate            float64
	membersPer      int
	referenceChecks bool
	timeout         time.Duration

	json, quiet, verify bool
	sample              int
	show                string
}

// pairs is a flag of the form name=value that can be repeated.
type pairs [][2]string

func (p *pairs) String() string { return "" }

func (p *pairs) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("it has the form name=value")
	}
	*p = append(*p, [2]string{name, value})
	return nil
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("entra", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.url, "url", "", "Tenant `URL`, as it would be pasted into Entra; required")
	f.StringVar(&o.token, "token", "", "Secret `token`; better --token-file, which other processes cannot see")
	f.StringVar(&o.tokenFile, "token-file", "", "`file` that holds the Secret Token")
	f.StringVar(&o.caFile, "ca-file", "", "PEM `file` of the certificate authorities to trust, instead of the system's")
	f.Var(&o.resolve, "resolve", "`host:port=address` to connect to instead, as curl does; can be repeated")

	f.StringVar(&o.company, "company", "", "JSON `file` of the company, instead of an invented one")
	f.StringVar(&o.name, "name", "Contoso", "`name` of the invented company")
	f.IntVar(&o.users, "users", 100, "`number` of users of the invented company")
	f.IntVar(&o.groups, "groups", 10, "`number` of groups of the invented company")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the company and of its life")
	f.Var(&o.set, "set", "`attribute=value1,value2,…`: give each user one of the values in turn; can be repeated")

	f.StringVar(&o.dialect, "dialect", "", "`legacy or flagged` PATCH; default what the URL's flag says, else legacy")
	f.IntVar(&o.cycles, "cycles", 1, "`number` of cycles; 0 is Test Connection alone")
	f.Float64Var(&o.days, "days", 10, "`days` that pass in the company between two cycles; the recycle bin keeps 30")
	f.Float64Var(&o.life, "life", 1, "`factor` for how much happens between two cycles; 0 is nothing")
	f.StringVar(&o.state, "state", "", "`file` that keeps company, links and watermark, so that the next run is incremental")
	f.IntVar(&o.concurrency, "concurrency", 5, "`number` of requests under way at once")
	f.Float64Var(&o.rate, "rate", 0, "most requests a `second`; 0 is no limit")
	f.IntVar(&o.membersPer, "members-per-request", 1, "`number` of members that one PATCH adds or removes")
	f.BoolVar(&o.referenceChecks, "reference-checks", false, "ask before every manager and member whether it is there")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "`time` after which a request is given up")

	f.BoolVar(&o.json, "json", false, "print one JSON object at the end instead of tables")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	f.BoolVar(&o.verify, "verify", true, "compare the server with what Entra believes after the last cycle")
	f.IntVar(&o.sample, "print-sample", 0, "print this `number` of users as the server has them")
	f.StringVar(&o.show, "show", "", "further attribute `paths` for the sample, with commas between them")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return o, o.check(f.NArg())
}

func (o *options) check(extra int) error {
	switch {
	case extra > 0:
		return errors.New("there are no arguments but flags; see --help")
	case o.url == "":
		return errors.New("--url is missing: the Tenant URL to provision to")
	case o.token == "" && o.tokenFile == "":
		return errors.New("--token-file is missing: the file with the Secret Token")
	case o.token != "" && o.tokenFile != "":
		return errors.New("--token and --token-file exclude each other")
	case o.users < 0, o.groups < 0, o.cycles < 0, o.sample < 0, o.days < 0, o.life < 0, o.rate < 0, o.concurrency < 1:
		return errors.New("a number is below what makes sense")
	}
	if o.tokenFile != "" {
		raw, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		o.token = strings.TrimSpace(string(raw))
	}
	for _, path := range o.paths() {
		if _, err := wire.ParsePath(path); err != nil {
			return fmt.Errorf("--show: %w", err)
		}
	}
	_, err := o.job().Complete()
	return err
}

func (o *options) job() job.Job {
	return job.Job{
		TenantURL: o.url, SecretToken: o.token, Dialect: wire.Dialect(o.dialect),
		Concurrency: o.concurrency, RequestsPerSecond: o.rate, MembersPerRequest: o.membersPer,
		ReferenceChecks: o.referenceChecks,
	}
}

func (o *options) paths() []string {
	if o.show == "" {
		return nil
	}
	return strings.Split(o.show, ",")
}

// client makes the HTTP client: its trust, and where it really connects to.
func (o *options) client() (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file: %s holds no certificate", o.caFile)
		}
	}
	instead := map[string]string{}
	for _, r := range o.resolve {
		address := r[1]
		if _, _, err := net.SplitHostPort(address); err != nil {
			_, port, err := net.SplitHostPort(r[0])
			if err != nil {
				return nil, fmt.Errorf("--resolve %s=%s: the left side is host:port", r[0], r[1])
			}
			address = net.JoinHostPort(strings.Trim(address, "[]"), port)
		}
		instead[r[0]] = address
	}
	var dialer net.Dialer
	return &http.Client{Timeout: o.timeout, Transport: &http.Transport{
		TLSClientConfig: trust, MaxIdleConnsPerHost: o.concurrency, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if other, ok := instead[address]; ok {
				address = other
			}
			return dialer.DialContext(ctx, network, address)
		},
	}}, nil
}
