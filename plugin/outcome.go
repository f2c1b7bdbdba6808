package plugin

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
)

// ExitUnknown is for a question with --exit-code that could not be answered.
const ExitUnknown = 2

// watchInterval is how often it is looked again with --watch.
const watchInterval = 2 * time.Second

const exitCodeHelp = `With --exit-code it ends with 0 where all is well, 1 where something is not, and 2 where
it could not find out.`

// outcome ends a command with an exit code. Where there is no error all was said.
type outcome struct {
	code int
	error
}

func (o *outcome) Error() string {
	if o.error == nil {
		return "something is wrong"
	}
	return o.error.Error()
}

func (o *outcome) Unwrap() error { return o.error }

// untold is an error for which a command with --exit-code cannot say how things are.
func untold(exitCode bool, err error) error {
	if _, wrong := errors.AsType[*usageError](err); err == nil || wrong || !exitCode {
		return err
	}
	return &outcome{ExitUnknown, err}
}

func exitCodeFlag(command *cobra.Command, exitCode *bool) {
	command.Flags().BoolVar(exitCode, "exit-code", false, "end with 0 where all is well, 1 where something is not, 2 where it could not find out")
}

func watchFlag(command *cobra.Command, watch *bool) {
	command.Flags().BoolVarP(watch, "watch", "w", false, "go on and show what changes, until you interrupt")
}

// repeat does something once, or with watch again and again until the user interrupts.
func (s *session) repeat(ctx context.Context, watch bool, do func(context.Context) error) error {
	err := do(ctx)
	if err != nil || !watch {
		return err
	}
	err = wait.PollUntilContextCancel(ctx, watchInterval, false, func(ctx context.Context) (bool, error) { return false, do(ctx) })
	if interrupted(ctx) {
		return nil
	}
	return err
}
