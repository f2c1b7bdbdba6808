package filter

// Rewrite returns f with each comparison, presence test and value path, in their order, replaced by what term makes of it.
func Rewrite(f Filter, term func(Filter) Filter) Filter {
	switch f := f.(type) {
	case And:
		return And{rewriteAll(f.Terms, term)}
	case Or:
		return Or{rewriteAll(f.Terms, term)}
	case Not:
		return Not{Rewrite(f.Term, term)}
	}
	return term(f)
}

func rewriteAll(terms []Filter, term func(Filter) Filter) []Filter {
	out := make([]Filter, len(terms))
	for i := range terms {
		out[i] = Rewrite(terms[i], term)
	}
	return out
}

// Distinct returns a filter that means the same as f and has no term twice within one "and", "or" or value path.
func Distinct(f Filter) Filter {
	switch f := f.(type) {
	case And:
		return joined(distinct(f.Terms), func(terms []Filter) Filter { return And{terms} })
	case Or:
		return joined(distinct(f.Terms), func(terms []Filter) Filter { return Or{terms} })
	case Not:
		return Not{Distinct(f.Term)}
	case Elements:
		return Elements{f.Path, Distinct(f.Filter)}
	}
	return f
}

func joined(terms []Filter, join func([]Filter) Filter) Filter {
	if len(terms) == 1 {
		return terms[0]
	}
	return join(terms)
}

func distinct(terms []Filter) []Filter {
	out := make([]Filter, 0, len(terms))
	known := make(map[string]bool, len(terms))
	for _, term := range terms {
		term = Distinct(term)
		if text := term.String(); !known[text] {
			known[text] = true
			out = append(out, term)
		}
	}
	return out
}

// Terms counts the comparisons and presence tests of a filter.
func Terms(f Filter) (n int) {
	switch f := f.(type) {
	case And:
		for _, term := range f.Terms {
			n += Terms(term)
		}
	case Or:
		for _, term := range f.Terms {
			n += Terms(term)
		}
	case Not:
		return Terms(f.Term)
	case Elements:
		return Terms(f.Filter)
	case Compare, Present:
		return 1
	}
	return n
}

// Constant is a filter that says the same of everything. It has no notation.
func Constant(holds bool) Filter {
	if holds {
		return And{}
	}
	return Or{}
}

// AboutRows tells whether a comparison, a presence test or a value path is about memberships, which no document has.
func AboutRows(f Filter) bool {
	switch f := f.(type) {
	case Compare:
		return f.Path.Rows()
	case Present:
		return f.Path.Rows()
	case Elements:
		return f.Path.Rows()
	}
	return false
}
