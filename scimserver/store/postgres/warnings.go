package postgres

import "github.com/jackc/pgx/v5/pgconn"

// warnings keeps the last warning of a connection with it, under this name.
const warnings = keptWarning("tenantry warning")

type keptWarning string

// keep is what the driver calls with everything that the database says unasked.
func (w keptWarning) keep(connection *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" || notice.Severity == "WARNING" {
		connection.CustomData()[string(w)] = notice
	}
}

func (w keptWarning) forget(connection *pgconn.PgConn) { delete(connection.CustomData(), string(w)) }

// of returns the last warning since the last forget, nil if there was none.
func (w keptWarning) of(connection *pgconn.PgConn) *pgconn.Notice {
	notice, _ := connection.CustomData()[string(w)].(*pgconn.Notice)
	return notice
}
