package plugin

import (
	"bytes"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
)

const (
	pluginProgram     = "kubectl-tenantry"
	completionProgram = "kubectl_complete-tenantry"
)

// completionScript is what kubectl runs as [completionProgram] to complete the words behind kubectl tenantry.
//
//go:embed kubectl_complete-tenantry
var completionScript []byte

func (s *session) completion() *cobra.Command {
	var directory string
	var force bool
	command := &cobra.Command{
		Use:   "completion",
		Short: "Have the shell complete tenants, namespaces and flags behind kubectl tenantry",
		Long: `Write ` + completionProgram + `, a small script that kubectl runs when the shell is
to complete what stands behind kubectl tenantry. It goes beside the plugin, where kubectl
finds both, or into --directory.

The shell must complete kubectl itself: see 'kubectl completion --help'.`,
		Example: `  kubectl tenantry completion

  # Where the plugin is in a folder in which you may not write
  kubectl tenantry completion --directory ~/.local/bin`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			if runtime.GOOS == "windows" {
				return errors.New("the script that completes is one of sh, which kubectl on Windows does not run")
			}
			if command.Flags().Changed("directory") && directory == "" {
				return usage(command, "--directory is empty")
			}
			folder, err := completionFolder(directory)
			if err != nil {
				return err
			}
			path := filepath.Join(folder, completionProgram)
			if err := writeCompletion(path, force); err != nil {
				return err
			}
			fmt.Fprintf(printing{s.Out}, "wrote %s\n", path)
			if hint := completionHint(path); hint != "" {
				fmt.Fprintln(printing{s.ErrOut}, hint)
			}
			return nil
		},
	}
	command.Flags().StringVar(&directory, "directory", "", "write into this `folder`, which must be on your PATH; otherwise into that of the plugin")
	command.Flags().BoolVar(&force, "force", false, "replace a file by that name that the plugin did not write")
	complete(command, "directory", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return command
}

// completionFolder is the one that was named, or else that of the PATH in which kubectl finds the plugin. The file there may be a link to another
// folder, where kubectl would not find the script: so krew installs.
func completionFolder(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	program, err := exec.LookPath(pluginProgram)
	if err != nil {
		program, err = os.Executable()
	}
	if err != nil {
		return "", fmt.Errorf("find the folder of the plugin: %w; name a folder of your PATH with --directory", err)
	}
	return filepath.Abs(filepath.Dir(program))
}

// writeCompletion writes the script, over one that this or another version of the plugin wrote. Any other file stays unless force says otherwise.
func writeCompletion(path string, force bool) error {
	if _, err := os.Lstat(path); err == nil && !force && !isCompletion(path) {
		return fmt.Errorf("%s is there, and the plugin did not write it: look at it, then give --force to replace it, or another folder with --directory", path)
	}
	err := whole(path, func(to io.Writer) error {
		_, err := to.Write(completionScript)
		return err
	})
	if err == nil {
		err = os.Chmod(path, 0o755) //nolint:gosec // a program, with nothing in it that others may not read
	}
	if err != nil {
		return fmt.Errorf("%w; name a folder of your PATH in which you may write, as with --directory ~/.local/bin", err)
	}
	return nil
}

// isCompletion tells whether a file is the script as any version of the plugin wrote it: its first two lines say what it is.
func isCompletion(path string) bool {
	found, err := os.ReadFile(path)
	lines := bytes.SplitAfterN(completionScript, []byte("\n"), 3)
	return err == nil && bytes.HasPrefix(found, bytes.Join(lines[:2], nil))
}

// completionHint says what keeps kubectl from using the script, "" where nothing does.
func completionHint(path string) string {
	found, err := exec.LookPath(completionProgram)
	if err != nil {
		return fmt.Sprintf("kubectl does not find it yet: put %s on your PATH", filepath.Dir(path))
	}
	if !sameFile(found, path) {
		return fmt.Sprintf("kubectl finds %s first: remove that, or put %s before it on your PATH", found, filepath.Dir(path))
	}
	if _, err := exec.LookPath(pluginProgram); err != nil {
		return fmt.Sprintf("the script does not find %s: put its folder on your PATH", pluginProgram)
	}
	return ""
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}
