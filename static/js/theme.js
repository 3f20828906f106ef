/* Loaded before the first paint. The server renders the theme from cookie or profile; this only marks that scripts run. */
document.documentElement.classList.add("js");
