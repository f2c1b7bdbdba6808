package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TokenVariable is the environment variable with the token that a tenant's server is asked with.
const TokenVariable = "TENANTRY_TOKEN" //nolint:gosec // the name of a variable, not a credential

// maxToken is the greatest length of a token in bytes: a login authority's are long.
const maxToken = 16 << 10

// bearer is where the token comes from that a tenant's server is asked with. It never stands on the command line, which others on
// the machine can read.
type bearer struct {
	key, file string
}

// flags are those of a command that takes no other token than the Secret Token.
func (b *bearer) flags(command *cobra.Command) {
	b.key = v1alpha1.CredentialsTokenKey
	command.Flags().StringVar(&b.file, "token-file", "",
		"read the token from this `file`, or from standard input where it is - (default: $"+TokenVariable+", or else the Secret that hands it out)")
}

// readerFlags are those of a command that takes a reader's token as well.
func (b *bearer) readerFlags(s *session, command *cobra.Command) {
	b.flags(command)
	command.Flags().StringVar(&b.key, "credential", b.key,
		"`key` of the token: token, or reader. and the name of a reader")
	complete(command, "credential", s.completeCredentials(bears))
}

// given returns the token that was handed in, "" where it is for the Secret to say.
func (b *bearer) given(s *session, command *cobra.Command) (string, error) {
	named := command.Flags().Changed("credential")
	switch {
	case named && b.file != "":
		return "", usage(command, "--credential names a token of the Secret and --token-file holds one: give one of the two")
	case named && !bears(b.key):
		return "", usage(command, "--credential must be %s, or %s and the name of a reader, not %q",
			v1alpha1.CredentialsTokenKey, v1alpha1.CredentialsReaderPrefix, b.key)
	case b.file == "-":
		return word("standard input", s.In)
	case b.file != "":
		file, err := os.Open(b.file)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		return word(b.file, file)
	case s.Token != "" && !named:
		return word("the environment variable "+TokenVariable, strings.NewReader(s.Token))
	default:
		return "", nil
	}
}

// bears reports whether the credential of this key is a token, and not a client secret for which one is issued.
func bears(key string) bool {
	return key == v1alpha1.CredentialsTokenKey || strings.HasPrefix(key, v1alpha1.CredentialsReaderPrefix)
}

// word reads a token. Its error says nothing of what was read.
func word(name string, from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 1 || len(text) > maxToken || strings.ContainsFunc(fields[0], func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s must hold a token and nothing else", name)
	}
	return fields[0], nil
}

// of returns the token that was handed in, or the one of the tenant's Secret.
func (b *bearer) of(ctx context.Context, c client.Client, tenant *v1alpha1.ProvisioningTenant, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if err := hasCredential(tenant, b.key); err != nil {
		return "", err
	}
	found, err := credential(ctx, c, tenant, b.key)
	if _, deleted := errors.AsType[*deletedError](err); deleted {
		return "", fmt.Errorf("%w. Hand in what was copied with --token-file FILE, - for standard input, or in $%s", err, TokenVariable)
	}
	return found, err
}
