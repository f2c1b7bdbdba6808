package company

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Size says how large a generated company is, and which. The zero value of a field takes the default that it names.
type Size struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Name of the company; default "Contoso". Its first domain is made of it.
	Name string
	// Users and Groups are counts.
	Users, Groups int
	// GroupSize is the mean number of members of a group that is not a department; default 10.
	GroupSize int
}

// Generate invents a company. About one user in thirty is disabled from the start and one in fifty is a guest; managers
// form a tree; the first groups are the departments, of everyone in them; every eighth further group holds a nested
// group as well.
func Generate(s Size) *Company {
	if s.Name == "" {
		s.Name = "Contoso"
	}
	if s.GroupSize == 0 {
		s.GroupSize = 10
	}
	r := source(s.Seed, 0)
	short := ascii(strings.Fields(s.Name)[0])
	c := &Company{
		Name:     s.Name,
		TenantID: newObjectID(r),
		Domains:  []string{short + ".test", short + "-nordic.test", "mail." + short + ".test"},
	}
	h := newHirer(c)
	for i := range s.Users {
		u := h.hire(r)
		if i > 0 {
			// A manager is always someone hired before, so the references form a tree. The square bends it towards a
			// realistic depth instead of a chain.
			u.Manager = c.Users[int(float64(i)*r.Float64()*r.Float64()/2)].ObjectID
		}
		u.AccountEnabled = i == 0 || r.IntN(30) != 0
		c.Users = append(c.Users, u)
	}
	for i := range s.Groups {
		c.Groups = append(c.Groups, foundGroup(c, i, s.GroupSize, r))
	}
	return c
}

func foundGroup(c *Company, i, size int, r *rand.Rand) *Group {
	g := &Group{ObjectID: newObjectID(r)}
	if i < len(departments) {
		g.DisplayName = departments[i]
		for _, u := range c.Users {
			if u.Department == departments[i] {
				g.Members = append(g.Members, u.ObjectID)
			}
		}
	} else {
		n := i - len(departments)
		g.DisplayName = projects[n%len(projects)] + " " + places[(n/len(projects))%len(places)]
		if round := n / (len(projects) * len(places)); round > 0 {
			g.DisplayName += " " + strconv.Itoa(round+1)
		}
		// Between one member and twice the mean.
		g.Members = pick(c, min(len(c.Users), 1+r.IntN(2*size)), r)
		if n%8 == 7 && len(c.Groups) > 0 {
			g.Members = append(g.Members, c.Groups[r.IntN(len(c.Groups))].ObjectID)
		}
	}
	g.MailNickname = strings.ReplaceAll(ascii(strings.ReplaceAll(g.DisplayName, " ", "-")), "--", "-")
	return g
}

// pick returns the objectIds of up to n different users that are not in the recycle bin. It draws rather than shuffles,
// as the company can be far larger than n.
func pick(c *Company, n int, r *rand.Rand) []string {
	var out []string
	drawn := map[int]bool{}
	for tries := 0; len(out) < n && len(drawn) < len(c.Users) && tries < 20*n; tries++ {
		i := r.IntN(len(c.Users))
		if !drawn[i] && !c.Users[i].SoftDeleted() {
			out = append(out, c.Users[i].ObjectID)
		}
		drawn[i] = true
	}
	return out
}

// hirer makes new users, each with a mail nickname that nobody in the company has or had.
type hirer struct {
	c     *Company
	taken map[string]bool
}

func newHirer(c *Company) *hirer {
	h := &hirer{c: c, taken: map[string]bool{}}
	for _, u := range c.Users {
		h.taken[u.MailNickname] = true
	}
	for _, n := range c.RetiredNames {
		h.taken[n] = true
	}
	return h
}

func (h *hirer) hire(r *rand.Rand) *User {
	given, last := givenNames[r.IntN(len(givenNames))], surnames[r.IntN(len(surnames))]
	u := &User{
		ObjectID:       newObjectID(r),
		GivenName:      given,
		Surname:        last,
		DisplayName:    given + " " + last,
		MailNickname:   h.nickname(given, last),
		Department:     departments[r.IntN(len(departments))],
		JobTitle:       jobTitles[r.IntN(len(jobTitles))],
		AccountEnabled: true,
	}
	domain := h.c.Domains[0]
	if len(h.c.Domains) > 1 && r.IntN(4) == 0 {
		domain = h.c.Domains[1+r.IntN(len(h.c.Domains)-1)]
	}
	u.UserPrincipalName = u.MailNickname + "@" + domain
	u.Mail = u.UserPrincipalName
	if r.IntN(50) == 0 {
		u.Mail = u.MailNickname + "@partner.test"
		u.UserPrincipalName = u.MailNickname + "_partner.test#EXT#@" + h.c.Domains[0]
	}
	if h.c.TenantID != "" { // docs/entra.md: both or neither, or nobody signs in as the user
		u.Set("identityProvider", "https://login.microsoftonline.com/"+h.c.TenantID+"/v2.0")
		u.Set("nameIdentifier", u.ObjectID)
	}
	u.Set("customFieldText1", fmt.Sprintf("CC-%d", 100+10*r.IntN(60)))
	if r.IntN(3) == 0 {
		u.Set("customFieldText2", places[r.IntN(len(places))])
	}
	if r.IntN(5) == 0 {
		u.Set("customFieldText3", `Desk "`+strconv.Itoa(1+r.IntN(900))+`" \ floor `+strconv.Itoa(1+r.IntN(9)))
	}
	return u
}

func (h *hirer) nickname(given, last string) string {
	base := ascii(given) + "." + ascii(last)
	name := base
	for i := 2; h.taken[name]; i++ {
		name = base + strconv.Itoa(i)
	}
	h.taken[name] = true
	return name
}

// source is a stream of chance of its own for every period, so that a period can be replayed alone.
func source(seed uint64, period int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(period)))
}

func newObjectID(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff,
		b>>50|0x8000, b&0xffffffffffff)
}

func without(list []string, id string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == id })
}
