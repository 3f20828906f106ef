/* What every page gets: theme, copy buttons, dialogs, shortcuts, live fragments. Each is a small module. */
import { theme } from "./toggle.js";
import { copyButtons } from "./copy.js";
import { dialogs } from "./dialog.js";
import { shortcuts } from "./keys.js";
import { live } from "./live.js";
import { palette } from "./palette.js";
import { oneSubmit } from "./submit.js";

theme();
copyButtons();
dialogs();
shortcuts();
palette();
oneSubmit();
live();
// Tabs may be wider than a phone: the one that is open is in sight.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
