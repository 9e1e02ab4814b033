// How wide an element is, for pictures that are drawn to fit.

import { useLayoutEffect, useRef, useState } from "./html.js";

/** Measure an element: its width in pixels, 0 until it is known, and the reference to give it. */
export function useWidth() {
  const ref = useRef(null);
  const [width, setWidth] = useState(0);
  // Before the first paint, so that nothing is drawn twice.
  useLayoutEffect(() => {
    setWidth(ref.current.clientWidth);
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [width, ref];
}
