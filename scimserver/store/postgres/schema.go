package postgres

import (
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// namespace is the schema that keeps a directory. Every statement names it with each table, so that no setting of a connection, such as
// a search_path that a pooler lost, decides whose data is read and written.
//
// In the texts of this package and of sqlfilter it is called main, which is what SQLite calls its own.
type namespace struct {
	name, quoted string

	mu    sync.RWMutex
	texts map[string]string // statements that were put here before
}

const (
	placeholder = " main."
	// keptTexts is how many statements are kept, and keptText how long each may be: those of filters can be any.
	keptTexts = 512
	keptText  = 4 << 10
)

func newNamespace(name string) *namespace {
	return &namespace{name: name, quoted: pgx.Identifier{name}.Sanitize(), texts: map[string]string{}}
}

// table is the name of a table that is one everywhere.
func (n *namespace) table(name string) string { return n.quoted + "." + name }

// qualify puts the schema into a text.
func (n *namespace) qualify(sql string) string {
	return strings.ReplaceAll(sql, placeholder, placeholder[:1]+n.quoted+".")
}

// statement is qualify for a statement that will be sent again.
func (n *namespace) statement(sql string) string {
	n.mu.RLock()
	text, ok := n.texts[sql]
	n.mu.RUnlock()
	if ok {
		return text
	}
	text = n.qualify(sql)
	if len(sql) > keptText {
		return text
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.texts) == keptTexts {
		clear(n.texts)
	}
	n.texts[sql] = text
	return text
}

// qualified is files whose statements are put into a schema as they are read.
type qualified struct {
	fs.FS

	schema *namespace
}

func (q qualified) Open(name string) (fs.File, error) {
	file, err := q.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return rewritten{file, strings.NewReader(q.schema.qualify(string(text)))}, nil
}

// rewritten is a file with another content. Its size is that of the one it had.
type rewritten struct {
	fs.File

	text *strings.Reader
}

func (r rewritten) Read(b []byte) (int, error) { return r.text.Read(b) }
