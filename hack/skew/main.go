// Command skew prints what an operator asks of the servers that it runs, and what those know. With -released it compares that with what a
// release kept, and fails where an operator of this version could not run servers of that release. `make verify` does that, and `make freeze`
// keeps it. docs/compatibility.md has the promise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

func main() {
	released := flag.String("released", "", "`file` that the release kept")
	flag.Parse()
	if err := run(*released); err != nil {
		fmt.Fprintln(os.Stderr, "skew:", err)
		os.Exit(1)
	}
}

func run(released string) error {
	now, err := present(context.Background())
	if err != nil {
		return err
	}
	if released == "" {
		text, err := yaml.Marshal(now)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	text, err := os.ReadFile(released)
	if err != nil {
		return err
	}
	var before contract
	if err := yaml.UnmarshalStrict(text, &before); err != nil {
		return fmt.Errorf("%s: %w", released, err)
	}
	var broken []error
	for _, one := range slices.Sorted(slices.Values(compare(before, now))) {
		broken = append(broken, errors.New(one))
	}
	return errors.Join(broken...)
}
