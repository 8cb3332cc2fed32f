package livemap.orders;

/** Why a record is no order: the reason is a header of orders.dead, the rest is for people. */
public final class Invalid extends Exception {
    private static final long serialVersionUID = 1;

    public static final String MALFORMED = "malformed"; // not JSON in UTF-8, or not an object
    public static final String VERSION = "version"; // v is not 1
    public static final String FIELD = "field"; // missing, of the wrong type or out of range
    public static final String TOO_LARGE = "too_large";

    private final String reason;

    Invalid(String reason, String field, String detail) {
        super("order is invalid (" + reason + "): " + (field.isEmpty() ? "" : field + " ") + detail, null, false, false);
        this.reason = reason;
    }

    public String reason() {
        return reason;
    }
}
