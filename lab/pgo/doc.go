// Package pgo installs a stand-in for the Crunchy PostgreSQL Operator (PGO) 4.2.1 into a lab cluster, and those of later
// generations on request: one program and one image for all.
//
// It is not PGO and holds none of its code. It was written from the behaviour that was observed on a running
// PGO 4.2.1: the apiserver answers the recorded requests with the recorded answers (see apiserver's conformance
// test), and the operator makes the objects that were seen, with their names, labels and annotations, in the order
// they were seen. What those objects do is real: the pods run PostgreSQL under Patroni, the Jobs run pgBackRest.
//
// Known differences:
//   - The operator compares the wanted with the actual world every second. The original reacts to edges and loses
//     them when it is restarted at the wrong moment; this one does not.
//   - The scheduler and event containers are missing, and so are policies, clones, restores, pgbouncer and metrics.
//   - The repository pod runs the database image unless Options.RepoImage names another, and the Jobs run the
//     stand-in's own image: no other images are on the lab's nodes.
//   - Backups ask for an immediate checkpoint, and the repository is reached by address: see README.md.
package pgo

// Image is the name under which the lab builds the stand-in's image and loads it on every node.
const Image = "antdb-lab/pgo-standin:4.2.1"

// Image47 is the same image under the tag by which clients see that an operator is of PGO 4.7.
const Image47 = "antdb-lab/pgo-standin:4.7.10"
