//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// transfers measures an export of both directories and an import of the large one into an empty one. What an export has in
// memory must not grow with the directory.
func (b *bench) transfers(ctx context.Context) error {
	file := filepath.Join(b.folder, "export.jsonl")
	var took, large, small series
	for range min(b.rounds, 3) {
		lasted, most, err := b.export(ctx, b.large, file)
		if err != nil {
			return err
		}
		took, large = append(took, lasted.Seconds()), append(large, most)
		if _, most, err = b.export(ctx, b.small, os.DevNull); err != nil {
			return err
		}
		small = append(small, most)
	}
	figure := fmt.Sprintf("export of %s users", thousands(b.users))
	b.report.value(figure, " s", took, "", nil, budget{})
	b.report.ratio(figure+", memory at most", " MiB", large, "1,000 users", small, atMost(1.5))

	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	empty := newTenant(b, "imported")
	lasted, most, err := b.transfer(ctx, empty, "import", in, io.Discard)
	if err != nil {
		return err
	}
	// The budget is for 500,000.
	limit := atMost(60 * float64(b.users) / 500_000)
	b.report.value(fmt.Sprintf("import of %s users", thousands(b.users)), " s", series{lasted.Seconds()}, "", nil, limit)
	b.report.value("import, memory at most", " MiB", series{most}, "", nil, budget{})
	return nil
}

// export writes a directory, whose server must have ended, to a file.
func (b *bench) export(ctx context.Context, t *tenant, to string) (lasted time.Duration, most float64, err error) {
	t.stop()
	out, err := os.Create(to)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return b.transfer(ctx, t, "export", nil, out)
}

// transfer runs a command of the server's to its end, and returns how long it took and what it had in memory at most, in MiB.
func (b *bench) transfer(ctx context.Context, t *tenant, command string, in io.Reader, out io.Writer) (lasted time.Duration, most float64, err error) {
	flags, err := t.flags()
	if err != nil {
		return 0, 0, err
	}
	if err := os.MkdirAll(t.folder, 0o700); err != nil {
		return 0, 0, err
	}
	p := &process{command: exec.CommandContext(ctx, t.binary, append([]string{command}, flags...)...)}
	p.command.Stdin, p.command.Stdout, p.command.Stderr = in, out, os.Stderr
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.command.Wait() }()
	// The kernel's figure at the end counts this program's own memory, from before the command took its place.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, seen, failed := p.memory(); failed == nil {
				most = max(most, seen)
			}
		case err := <-ended:
			if err != nil {
				return 0, 0, fmt.Errorf("scimserver %s: %w", command, err)
			}
			return time.Since(begin), most, nil
		}
	}
}
