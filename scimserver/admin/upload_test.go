package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
)

func TestWhatIsSaidOfAnUploadThatBroke(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx   context.Context //nolint:containedctx // that of one case
		broke error
		want  refusal
	}{
		"nothing came for long":    {t.Context(), fmt.Errorf("read: %w", os.ErrDeadlineExceeded), refusal{http.StatusRequestTimeout, "nothing came for 20s; nothing was imported"}},
		"the client went":          {t.Context(), io.ErrUnexpectedEOF, refusal{http.StatusBadRequest, "the file was cut off on its way; nothing was imported"}},
		"provisioning was resumed": {t.Context(), errResumed, refusal{http.StatusConflict, "provisioning is not suspended any more; nothing was imported"}},
		"the server ends":          {ended, os.ErrDeadlineExceeded, refusal{http.StatusServiceUnavailable, "the server is being stopped; nothing was imported"}},
	} {
		u := &upload{ctx: c.ctx, broke: c.broke}
		got, ok := errors.AsType[*refusal](u.refusal(fmt.Errorf("import: line 3: %w", c.broke)))
		if !ok || *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
