// Package storage decides where the directory of a tenant is, whose it is, how it moves from a volume to PostgreSQL, and what is told of it. It
// follows from the tenant, the volume claim and the Jobs as they were found, and from what was found of the connection Secret. The package reads
// and writes nothing, and has no clock: package controllers reads what State and Move ask for, applies what was decided, and says what Report
// returns. How the claim, the Jobs and the server look is said in package desired, and whose a directory is in package ownership.
//
// # The volume claim
//
// It outlives its tenant, so it is judged before anything works with it:
//
//	claim                                                  then
//	none, and the status names no directory                one is made
//	none, where the status names a directory, or did       DirectoryMissing, until one is restored or an empty one adopted
//	somebody else's                                        NameConflict
//	the tenant's own, or without a mark                    it is used, and marked
//	with another Entra tenant ID, namespace or name        ForeignDirectory, until adopted; of a tenant whose ID was edited and whose server
//	                                                       has counted nobody, the server decides
//	being deleted                                          ClaimTerminating: a restart of the server would end what is left of it
//	marked as moved, where the spec says SQLite            Moved: it holds an old state of the directory
//
// The mark on the claim is what is known before a server runs. That in the directory decides: see package owner of the server. An adoption
// satisfies both, because the operator tells the server in the status from whom the claim was adopted.
//
// # The move
//
// A tenant whose spec says PostgreSQL is there where its status says so, its claim is marked as moved, or there is no claim. Otherwise its
// directory moves, by two Jobs: one tries the connection, for as long as that takes, and the other copies the directory. The step follows from
// what is in the cluster, so that an operator which starts in the middle goes on. Where a cell is empty, the step does not follow from it:
//
//	Job that copies            Job that tries               server      step           then
//	none                       is not there                             Connecting     the Job that tries is made
//	none                       runs                                     Connecting     the tenant goes on with its volume
//	none                       is of another connection,                Reconnecting   that Job goes, and is made again
//	                           failed, or being deleted
//	none                       has ended well               has pods    Stopping       the server is stopped
//	none                       has ended well               has ended   Copying        the Job that copies is made
//	runs                                                                Copying        clients are answered 503
//	has ended well                                                      Copied         the claim is marked as moved, and the next look finds the
//	                                                                                   directory in the database
//	has failed                                                          Failed         the server works with the volume, until the Job is deleted
//	is of another connection                                            Stopping       the Job goes, and the connection is tried
//	the same, and has failed                                            Reconnecting   both Jobs go, and the connection is tried
//
// # Invariants
//
//   - Nothing of a tenant is touched while it is not known where its directory is, or whose.
//   - A server never works with a directory that is being copied, with a volume whose directory has moved, or with a database before all of the
//     directory is there.
//   - An empty directory never takes the place of one of which the status tells, unless a person asks for that by name.
//   - What would keep a move from its beginning is found out before the server stops for it.
package storage
