package livemap.aggregate;

/** What a classification says, for tests of other packages. */
public final class Labels {
    private Labels() {}

    /** Title and category, or "none". */
    public static String at(Classification c, String product, long at) {
        Classification.Label l = c.find(product, at);
        return l == null ? "none" : l.title() + " / " + l.category();
    }
}
