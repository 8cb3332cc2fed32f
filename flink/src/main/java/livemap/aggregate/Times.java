package livemap.aggregate;

/** Seconds and milliseconds of event time. A second is the start of a pane or the end of a window. */
final class Times {
    static final long NONE = Long.MIN_VALUE / 4; // not known yet; spans can be added to it
    static final long WINDOW = 60; // seconds

    private Times() {}

    static long second(long millis) {
        return Math.floorDiv(millis, 1000L);
    }

    static long minute(long second) {
        return Math.floorDiv(second, 60L) * 60;
    }
}
