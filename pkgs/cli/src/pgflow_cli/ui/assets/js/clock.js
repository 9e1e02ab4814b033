// The server's clock, by which the instants are that are shown, and a beat for what counts on.

import { useEffect, useState } from "./html.js";

let ahead = 0;

/** Take the server's clock for right. */
export function setClock(text) {
  ahead = Date.parse(text) - Date.now();
}

export const now = () => Date.now() + ahead;

/** Return the time, anew every so often while `isTicking`. */
export function useNow(isTicking = true, every = 1000) {
  const [instant, setInstant] = useState(now);
  useEffect(() => {
    if (!isTicking) return undefined;
    setInstant(now());
    const timer = setInterval(() => document.hidden || setInstant(now()), every);
    return () => clearInterval(timer);
  }, [isTicking, every]);
  return isTicking ? instant : Math.max(instant, now());
}
