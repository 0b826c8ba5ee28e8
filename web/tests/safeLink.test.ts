import { expect, test } from "vitest";

import { safeLink } from "../src/answer/safeLink";

test.each(["https://example.org/a?b", "http://127.0.0.1:1/", "mailto:a@example.org"])("%s may be followed", (href) => {
  expect(safeLink(href)).not.toBeNull();
});

test.each(["javascript:alert(1)", " javascript:alert(1)", "JAVA\nSCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "/here", "//example.org", ""])(
  "%j may not",
  (href) => {
    expect(safeLink(href)).toBeNull();
  },
);
