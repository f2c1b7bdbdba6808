package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// export writes the directory to standard output.
func export(ctx context.Context, args []string, out io.Writer) (err error) {
	var e engine
	var o transfer.Options
	flags := flag.NewFlagSet("scimserver export", flag.ContinueOnError)
	flags.Usage = usage(flags, "scimserver export [flags] > FILE\n\nWrites the whole directory to standard output as JSON Lines.\n"+
		"While the server runs the folder is its own: ask its admin port for /export instead.")
	e.flags(flags)
	flags.BoolVar(&o.Log, "log", false, "with the provisioning log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see scimserver export --help", flags.Arg(0))
	}
	database, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	_, err = transfer.Export(ctx, database, out, o)
	return err
}

// restore fills an empty directory with what an export has written.
func restore(ctx context.Context, args []string, in io.Reader, report io.Writer) (err error) {
	var e engine
	flags := flag.NewFlagSet("scimserver import", flag.ContinueOnError)
	flags.Usage = usage(flags, "scimserver import [flags] [FILE]\n\nFills an empty directory with what scimserver export has written, all of it or nothing.\n"+
		"Reads standard input where no file is named.")
	e.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("unexpected argument %q; see scimserver import --help", flags.Arg(1))
	}
	if name := flags.Arg(0); name != "" && name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	database, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	counts, err := transfer.Import(ctx, database, users, in)
	if err != nil {
		return err
	}
	fmt.Fprintf(report, "imported %d users, %d groups, %d memberships and %d entries of the provisioning log\n",
		counts.Users, counts.Groups, counts.Memberships, counts.Entries)
	return nil
}

func usage(flags *flag.FlagSet, text string) func() {
	return func() {
		fmt.Fprintf(flags.Output(), "Usage: %s\n\n", text)
		flags.PrintDefaults()
	}
}
