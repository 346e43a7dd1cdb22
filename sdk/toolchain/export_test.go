package toolchain

import "encoding/binary"

// PlacesOf are the Places of a folder and a module whose functions have these names, in order.
func PlacesOf(dir string, names []string) Places {
	body := binary.AppendUvarint(nil, uint64(len(names)))
	for i, name := range names {
		body = appendName(binary.AppendUvarint(body, uint64(i)), name)
	}
	section := binary.AppendUvarint([]byte{1}, uint64(len(body)))
	return Places{dir, append(section, body...)}
}
