package aggregate

// What counting costs in memory. Maps are reckoned as they are right after they
// have grown, when 7 of 16 slots are taken.
const (
	// slotBytes is a slot of a map from unitKey to units: 17 bytes.
	slotBytes = 40
	// productBytes is a product without its name: its place in names, minutes
	// and free, and its slot in ids.
	productBytes = 144
	// entryBytes is a unitEntry, in a slice that has just doubled.
	entryBytes = 32

	// maxMinuteCells bounds the (product, scope) pairs of one minute, and so a
	// minute's record in the checkpoint (18 MiB if all names are as long as they
	// can be) and the work of ranking five minutes.
	maxMinuteCells = 1 << 17
)

// unitWireBytes is the most that units of a product take in the checkpoint: tag,
// country, length and number besides the name.
func unitWireBytes(product string) int { return 1 + 2 + 2 + 10 + len(product) }

// bytes is the memory that all of it takes, at most. A cell that is not yet in
// hour is reckoned with its place there.
func (u *units) bytes() int64 {
	slots := int64(u.cells) + int64(u.notYet) + int64(max(u.hourPeak, len(u.hour)))
	return slots*slotBytes + int64(len(u.names))*productBytes + u.nameBytes + int64(u.pending)*entryBytes
}

// add counts units of a product in the minute that holds at, for the world and
// for the country. ok is false if there was no room for them. A quarter of the
// memory is kept from new cells, for what open panes note about those there
// are.
func (u *units) add(at second, product string, country scopeID, n int64) (id productID, ok bool) {
	minute := at.minute()
	if u.closed != noSecond && minute < u.closed-hourSpan {
		return 0, false // no coming evaluation looks back so far
	}
	cells, need := u.fresh(minute, product, country)
	i, found := u.index(minute)
	full := found && cells > 0 && len(u.buckets[i].units)+cells > maxMinuteCells
	limit := u.limit
	if cells > 0 {
		limit -= limit / 4
	}
	if full || u.bytes()+need+entryBytes > limit {
		u.leftOut += n
		return 0, false
	}
	return u.put(minute, product, country, n), true
}

// fresh returns how many cells, and how many bytes, counting a product would
// add.
func (u *units) fresh(minute second, product string, country scopeID) (cells int, need int64) {
	cells = 2
	if country == worldID {
		cells = 1
	}
	id, known := u.ids[product]
	if !known {
		need = productBytes + int64(len(product))
	} else if i, found := u.index(minute); found {
		if _, ok := u.buckets[i].units[unitKeyOf(id, country)]; ok {
			cells = 0 // and so is the world's
		} else if _, ok := u.buckets[i].units[unitKeyOf(id, worldID)]; ok {
			cells--
		}
	}
	return cells, need + int64(cells)*2*slotBytes
}
