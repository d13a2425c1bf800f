import org.apache.camel.main.Main;

/** Runs the route of the Integration as Camel K would: arguments are its properties, `name=value`. */
public final class RunDispatcher {
    public static void main(String[] arguments) throws Exception {
        Main main = new Main();
        // Beans are looked for beside the main class; in the unnamed package that would be everywhere.
        main.configure().withBasePackageScanEnabled(false);
        main.configure().addRoutesBuilder(new Dispatcher());
        for (String argument : arguments) {
            String[] property = argument.split("=", 2);
            main.addInitialProperty(property[0], property[1]);
        }
        main.run();
    }
}
