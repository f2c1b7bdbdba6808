package sqlfilter

// Clash is the SQL condition that only one of two resources may have their key. The resources are the rows r and o, of one kind and
// key: users always clash, groups unless both have an external id and these differ (see store.Record.Key).
const Clash = "(r.kind = 1 OR r.external_id IS NULL OR o.external_id IS NULL OR r.external_id = o.external_id)"
