package livemap.aggregate;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import livemap.orders.Utf8;

/** Titles and categories of products, from the times at which they hold. Immutable. */
public final class Classification {
    static final String UNCLASSIFIED = "unclassified";
    /** What the list of latest orders shows for products without one: a product id is for trending only. */
    static final String UNCLASSIFIED_TITLE = "Unclassified product";
    /** Of no product. */
    public static final Classification NONE = new Classification(List.of());
    private static final int MAX_LABEL_BYTES = 256;

    /** What holds of a product from a time on; null or empty texts where the file has none. */
    public record Row(String product, String title, String category, long validFrom) {}

    record Label(String title, String category) {}

    private record Version(Label label, long from) {}

    private final Map<String, Object> labels; // Label where it always holds, otherwise List<Version> by time

    /** Of rows for the same product and time the last counts; rows without a product are ignored. */
    public Classification(List<Row> rows) {
        labels = new HashMap<>(rows.size() * 2);
        Map<String, String> categories = new HashMap<>(); // one string per category
        for (Row r : rows) {
            if (r.product() == null || r.product().isEmpty()) {
                continue;
            }
            String category = Utf8.cut(orElse(r.category(), UNCLASSIFIED), MAX_LABEL_BYTES);
            category = categories.computeIfAbsent(category, c -> c);
            Label label = new Label(Utf8.cut(orElse(r.title(), r.product()), MAX_LABEL_BYTES), category);
            Object before = labels.get(r.product());
            if (before == null && r.validFrom() == 0 || before instanceof Label && r.validFrom() == 0) {
                labels.put(r.product(), label);
                continue;
            }
            List<Version> versions = new ArrayList<>();
            if (before instanceof Label always) {
                versions.add(new Version(always, 0));
            } else if (before != null) {
                versions = versionsOf(before);
            }
            versions.add(new Version(label, r.validFrom()));
            labels.put(r.product(), versions);
        }
        for (Object l : labels.values()) {
            if (!(l instanceof Label)) {
                Collections.sort(versionsOf(l), Comparator.comparingLong(Version::from));
            }
        }
    }

    private static String orElse(String s, String other) {
        return s == null || s.isEmpty() ? other : s;
    }

    @SuppressWarnings("unchecked")
    private static List<Version> versionsOf(Object list) {
        return (List<Version>) list;
    }

    public int size() {
        return labels.size();
    }

    /** What is in force at a time, or null. */
    Label find(String product, long at) {
        Object found = labels.get(product);
        if (found == null || found instanceof Label) {
            return (Label) found;
        }
        List<Version> versions = versionsOf(found);
        for (int i = versions.size() - 1; i >= 0; i--) {
            if (versions.get(i).from() <= at) {
                return versions.get(i).label();
            }
        }
        return null;
    }
}
