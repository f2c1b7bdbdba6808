package plugin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// installed is a folder of the PATH with a program that prints its arguments in the place of the plugin, and nothing else that could be found.
func installed(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	program(t, filepath.Join(folder, pluginProgram))
	t.Setenv("PATH", folder)
	return folder
}

func program(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// completing runs completion, which must end with this code and say this.
func completing(t *testing.T, code int, out, errOut string, args ...string) {
	t.Helper()
	var o, e bytes.Buffer
	if got := Run(t.Context(), append([]string{"completion"}, args...), options(&o, &e)); got != code || o.String() != out || e.String() != errOut {
		t.Errorf("completion %q: exit %d\n%s%swant exit %d and\n%s%s", args, got, &o, &e, code, out, errOut)
	}
}

// completes runs the script as kubectl does.
func completes(t *testing.T, script string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), script, "url", "con tos", "").CombinedOutput()
	if err != nil || string(out) != "__complete\nurl\ncon tos\n\n" {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}

func TestCompletionIsWrittenWhereKubectlFindsIt(t *testing.T) {
	folder := installed(t)
	script := filepath.Join(folder, completionProgram)
	completing(t, ExitFine, "wrote "+script+"\n", "")
	completes(t, script)
	if found, err := exec.LookPath(completionProgram); found != script {
		t.Errorf("kubectl finds %q (%v)", found, err)
	}
	completing(t, ExitFine, "wrote "+script+"\n", "") // again, as after an upgrade
	completes(t, script)
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 {
		t.Errorf("the folder has %v (%v)", left, err)
	}
}

// The folder of a plugin that krew installed is on no PATH: there is a link to the plugin in one that is.
func TestCompletionIsWrittenBesideTheLinkToThePlugin(t *testing.T) {
	folder := installed(t)
	store := t.TempDir()
	if err := os.Rename(filepath.Join(folder, pluginProgram), filepath.Join(store, pluginProgram)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(store, pluginProgram), filepath.Join(folder, pluginProgram)); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(folder, completionProgram)
	completing(t, ExitFine, "wrote "+script+"\n", "")
	completes(t, script)
}

func TestCompletionIsWrittenIntoTheFolderThatIsNamed(t *testing.T) {
	folder := installed(t)
	other := t.TempDir()
	script := filepath.Join(other, completionProgram)
	completing(t, ExitFine, "wrote "+script+"\n", "kubectl does not find it yet: put "+other+" on your PATH\n", "--directory", other)
	completes(t, script)

	program(t, filepath.Join(folder, completionProgram))
	t.Setenv("PATH", folder+string(filepath.ListSeparator)+other)
	completing(t, ExitFine, "wrote "+script+"\n",
		"kubectl finds "+filepath.Join(folder, completionProgram)+" first: remove that, or put "+other+" before it on your PATH\n", "--directory", other)

	t.Setenv("PATH", other)
	completing(t, ExitFine, "wrote "+script+"\n", "the script does not find kubectl-tenantry: put its folder on your PATH\n", "--directory", other)

	t.Chdir(other)
	completing(t, ExitFine, "wrote "+filepath.Join(other, "sub", completionProgram)+"\n",
		"kubectl finds "+script+" first: remove that, or put "+filepath.Join(other, "sub")+" before it on your PATH\n", "--directory", mkdir(t, "sub"))
	completing(t, ExitUsage, "", "error: --directory is empty\nSee 'kubectl tenantry completion --help'.\n", "--directory", "")
	completing(t, ExitUsage, "", "error: kubectl tenantry completion takes no arguments\nSee 'kubectl tenantry completion --help'.\n", "bash")
}

func mkdir(t *testing.T, name string) string {
	t.Helper()
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCompletionReplacesNoFileOfSomebodyElse(t *testing.T) {
	script := filepath.Join(installed(t), completionProgram)
	refused := "error: " + script + " is there, and the plugin did not write it: look at it, then give --force to replace it, or another folder with --directory\n"
	// The script of another version is the plugin's, though it does something else.
	first, _, _ := strings.Cut(string(completionScript), "set -eu")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(script, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first + "exit 1\n")
	completing(t, ExitFine, "wrote "+script+"\n", "")
	completes(t, script)

	for name, content := range map[string]string{"another script": "#!/bin/sh\necho mine\n", "an empty file": ""} {
		write(content)
		completing(t, ExitWrong, "", refused)
		if got, err := os.ReadFile(script); string(got) != content {
			t.Errorf("%s became %q (%v)", name, got, err)
		}
	}
	completing(t, ExitFine, "wrote "+script+"\n", "", "--force")
	completes(t, script)

	// A link is replaced, and not the file behind it.
	theirs := filepath.Join(t.TempDir(), "theirs")
	for _, behind := range []string{theirs, theirs + ".none"} {
		if err := os.WriteFile(theirs, []byte("theirs"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(script); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(behind, script); err != nil {
			t.Fatal(err)
		}
		completing(t, ExitWrong, "", refused)
		completing(t, ExitFine, "wrote "+script+"\n", "", "--force")
		completes(t, script)
		if got, err := os.ReadFile(theirs); string(got) != "theirs" {
			t.Errorf("the file behind the link became %q (%v)", got, err)
		}
	}
}

func TestCompletionSaysWhatToDoWhereItCannotBeWritten(t *testing.T) {
	folder := installed(t)
	const todo = "; name a folder of your PATH in which you may write, as with --directory ~/.local/bin\n"
	none := filepath.Join(folder, "none")
	completing(t, ExitWrong, "", "error: write a file in "+none+": no such file or directory"+todo, "--directory", none)
	file := filepath.Join(folder, pluginProgram)
	completing(t, ExitWrong, "", "error: write a file in "+file+": not a directory"+todo, "--directory", file)
	script := filepath.Join(folder, completionProgram)
	mkdir(t, script)
	completing(t, ExitWrong, "", "error: "+script+" is no file that could be replaced"+todo, "--force")
}
