// SPDX-License-Identifier: Apache-2.0

// Verifies a ledger folder with golang.org/x/mod/sumdb, code that knows nothing
// of ours: the checkpoint's signature, every entry against authenticated tiles,
// proofs of inclusion for some, and growth from older checkpoints.  Tiles are
// read as C2SP tlog-tiles lays them out, which is not x/mod's own layout.
//
//	verify -key VKEY [-key VKEY...] FOLDER [OLDER-CHECKPOINT...]
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

type keys []note.Verifier

func (k *keys) String() string { return fmt.Sprint(*k) }

func (k *keys) Set(text string) error {
	v, err := note.NewVerifier(text)
	*k = append(*k, v)
	return err
}

// open verifies a checkpoint and takes its text apart.
func open(path string, known keys) (tlog.Tree, error) {
	var tree tlog.Tree
	octets, err := os.ReadFile(path)
	if err != nil {
		return tree, err
	}
	n, err := note.Open(octets, note.VerifierList(known...))
	if err != nil {
		return tree, fmt.Errorf("%s: %w", path, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != n.Sigs[0].Name {
		return tree, fmt.Errorf("%s: not a checkpoint of this origin", path)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || copy(tree.Hash[:], root) != tlog.HashSize {
		return tree, fmt.Errorf("%s: no root", path)
	}
	return tree, nil
}

// path is the name of a tile in the folder; level -1 is the entry bundle.
func path(folder string, level int, n int64, w int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if w < width {
		name += fmt.Sprintf(".p/%d", w)
	}
	kind := "entries"
	if level >= 0 {
		kind = strconv.Itoa(level)
	}
	return filepath.Join(folder, "tile", kind, name)
}

// reader is a tlog.TileReader over a folder.
type reader struct{ folder string }

func (r reader) Height() int { return 8 }

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, t := range tiles {
		octets, err := os.ReadFile(path(r.folder, t.L, t.N, t.W))
		if err != nil {
			return nil, err
		}
		if len(octets) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %v has %d octets", t, len(octets))
		}
		data = append(data, octets)
	}
	return data, nil
}

// bundle reads the entries of a bundle, all of them and nothing else.
func bundle(folder string, n int64, w int) ([][]byte, error) {
	octets, err := os.ReadFile(path(folder, -1, n, w))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(octets) > 0 {
		if len(octets) < 2 {
			return nil, errors.New("a bundle is cut")
		}
		size := int(octets[0])<<8 | int(octets[1])
		if len(octets) < 2+size {
			return nil, errors.New("a bundle is cut")
		}
		entries = append(entries, octets[2:2+size])
		octets = octets[2+size:]
	}
	if len(entries) != w {
		return nil, fmt.Errorf("bundle %d has %d entries, not %d", n, len(entries), w)
	}
	return entries, nil
}

// checkEntries hashes every entry and compares it with its authenticated leaf.
func checkEntries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += width {
		w := int64(width)
		if tree.N-first < w {
			w = tree.N - first
		}
		entries, err := bundle(folder, first/width, int(w))
		if err != nil {
			return err
		}
		indexes := make([]int64, w)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != leaves[i] {
				return fmt.Errorf("entry %d is not its leaf", first+int64(i))
			}
		}
	}
	return nil
}

// checkProofs proves some entries, the first and last among them.
func checkProofs(folder string, tree tlog.Tree, hashes tlog.HashReader) (int, error) {
	numbers := []int64{0, tree.N - 1}
	for i := 0; i < 100; i++ {
		numbers = append(numbers, rand.Int63n(tree.N))
	}
	for _, n := range numbers {
		w := int64(width)
		if tree.N-n/width*width < w {
			w = tree.N - n/width*width
		}
		entries, err := bundle(folder, n/width, int(w))
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		if err != nil {
			return 0, err
		}
		leaf := tlog.RecordHash(entries[n%width])
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf); err != nil {
			return 0, err
		}
	}
	return len(numbers), nil
}

func verify(folder string, known keys, older []string) (map[string]int64, error) {
	tree, err := open(filepath.Join(folder, "checkpoint"), known)
	if err != nil {
		return nil, err
	}
	hashes := tlog.TileHashReader(tree, reader{folder})
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, errors.New("the tiles give another root")
	}
	if err := checkEntries(folder, tree, hashes); err != nil {
		return nil, err
	}
	proven, err := checkProofs(folder, tree, hashes)
	if err != nil {
		return nil, err
	}
	for _, name := range older {
		old, err := open(name, known)
		if err != nil {
			return nil, err
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return map[string]int64{"size": tree.N, "proven": int64(proven),
		"grown_from": int64(len(older))}, nil
}

func main() {
	var known keys
	flag.Var(&known, "key", "a verifier key; may be repeated")
	flag.Parse()
	if flag.NArg() < 1 {
		flag.Usage()
		os.Exit(2)
	}
	found, err := verify(flag.Arg(0), known, flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
}
