package protocol

import "github.com/tenantry/tenantry/scimserver/directory"

// positionHeader has, with each list, the place in the provisioning log from which changes are to be read on. It was read before the list:
// what came before it is in the list, and what came behind it may be.
const positionHeader = "Events-Position"

// position is the header of a list that is about to be read, "" where it cannot be told. The first page of a list of all is what an application
// keeps a copy of, and goes on from its end of the log. Other lists, among them the look-ups of a client that provisions, have a place that
// was read within the last minute, which costs them nothing.
func (s *Server) position(r *request, q directory.Query) string {
	first := q.Offset == 0 && (q.Walk == nil || q.Walk.ID == "")
	if q.Filter == "" && first {
		// Where the database takes no writes the end may not be known, and lists are answered all the same.
		if position, err := s.directory.Position(r.context()); err == nil {
			return position.String()
		}
	}
	recent, _ := s.directory.RecentPosition(r.context())
	return recent
}
