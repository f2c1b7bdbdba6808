package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
)

// saved is the content of the --state file.
type saved struct {
	Company *company.Company `json:"company"`
	State   *entra.State     `json:"state"`
	// Now is the time in the company, which runs ahead of the real one.
	Now time.Time `json:"now"`

	// ages: time passes before the first cycle, because the company was left standing by an earlier run.
	ages bool
}

// load finds the company: the one of --company, else the one that --state kept, else an invented one.
func load(o *options) (*saved, error) {
	s := &saved{Now: time.Now().UTC(), State: entra.NewState()}
	if o.state != "" {
		raw, err := os.ReadFile(o.state)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("--state: %w", err)
		default:
			if err := s.read(raw); err != nil {
				return nil, fmt.Errorf("--state %s: %w", o.state, err)
			}
			s.ages = true
		}
	}
	switch {
	case o.company != "":
		raw, err := os.ReadFile(o.company)
		if err != nil {
			return nil, fmt.Errorf("--company: %w", err)
		}
		if s.Company, err = company.Read(bytes.NewReader(raw)); err != nil {
			return nil, fmt.Errorf("--company %s: %w", o.company, err)
		}
		s.ages = false
	case s.Company == nil:
		s.Company = company.Generate(company.Size{Seed: o.seed, Name: o.name, Users: o.users, Groups: o.groups})
	}
	if !s.ages {
		for _, p := range o.set {
			s.Company.Distribute(p[0], strings.Split(p[1], ",")...)
		}
	}
	return s, nil
}

func (s *saved) read(raw []byte) error {
	var file struct {
		Company *company.Company
		State   json.RawMessage
		Now     time.Time
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return err
	}
	if file.Company == nil {
		return errors.New("it holds no company")
	}
	state, err := entra.ReadState(bytes.NewReader(file.State))
	if err != nil {
		return err
	}
	if file.Now.After(s.Now) {
		s.Now = file.Now
	}
	s.Company, s.State = file.Company, state
	return nil
}

// save writes the file anew and puts it in the old one's place, so that an interrupted run leaves one or the other.
func (s *saved) save(path string) error {
	if path == "" {
		return nil
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}
