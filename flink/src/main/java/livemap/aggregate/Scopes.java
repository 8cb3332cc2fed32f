package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The scopes seen so far, numbered in that order: 0 is the world, the others are countries. */
final class Scopes {
    static final int WORLD = 0;

    private final short[] byCode = new short[26 * 26]; // 0: not seen
    private final List<Short> codes = new ArrayList<>(List.of((short) 0));
    final List<String> names = new ArrayList<>(List.of("world"));
    int[] sorted = {0}; // by name, for output in a fixed order

    int size() {
        return names.size();
    }

    int country(short code) {
        int slot = ((code >> 8) - 'A') * 26 + (code & 0xFF) - 'A';
        if (byCode[slot] == 0) {
            byCode[slot] = (short) names.size();
            codes.add(code);
            names.add("country/" + (char) (code >> 8) + (char) (code & 0xFF));
            int[] more = java.util.Arrays.copyOf(sorted, sorted.length + 1);
            int at = sorted.length;
            for (; at > 0 && names.get(more[at - 1]).compareTo(names.get(names.size() - 1)) > 0; at--) {
                more[at] = more[at - 1];
            }
            more[at] = names.size() - 1;
            sorted = more;
        }
        return byCode[slot];
    }

    /** Two letters; 0 for the world. */
    short code(int id) {
        return codes.get(id);
    }

    void write(DataOutput out) throws IOException {
        out.writeShort(codes.size());
        for (short code : codes.subList(1, codes.size())) {
            out.writeShort(code);
        }
    }

    void read(DataInput in) throws IOException {
        for (int n = in.readShort() - 1; n > 0; n--) {
            country(in.readShort());
        }
    }
}
