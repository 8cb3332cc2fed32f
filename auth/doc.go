// Package auth decides who may see what. It turns a request into a token, a
// token into a [Permit], and a permit into answers: may this topic be seen, may
// this key.
//
// Start at [Door], which is what an HTTP server uses, and [Verifier]: [New] checks
// its [Config], [Verifier.Run] keeps keys and revocations fresh,
// [Verifier.Verify] turns a token into a permit. Every refusal is a [Refusal] of a
// closed set of [Problem]s. [Signer] makes tokens, [Inspect] takes them apart.
//
// What is promised, and tested against an oracle that knows no cleverness:
//
//   - The algorithm belongs to the key. The token's own word is compared with it
//     and never chooses.
//   - Nothing of a token but its header is parsed before its signature holds.
//   - No comparison joins strings, folds case or normalises: names are bytes.
//   - What cannot be understood is refused: unknown members of the claim
//     livemap, duplicate members anywhere, a wildcard that is not at the end.
//   - The zero value of every type here permits nothing.
//
// The package knows no topic, stream or page: it does not interpret the names it
// compares, writes no answers and limits no rates.
package auth
